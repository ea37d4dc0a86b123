"""From anything readable to windows of ids."""
