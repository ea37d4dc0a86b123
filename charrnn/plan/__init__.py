"""What a run is asked to do, and what is decided before its first step. No torch."""
