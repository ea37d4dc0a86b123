"""Cells side by side on the same text: which are compared, and what came of it."""
