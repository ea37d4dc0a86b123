"""What a run tells and what it leaves behind. No torch."""
