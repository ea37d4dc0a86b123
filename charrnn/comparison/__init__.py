"""Comparing cells: the same training run for each of them, and what each run learned. No torch."""
