"""Files that are never half-written, what they hold, and who may write them."""
