"""Cells side by side on the same text. No torch."""
