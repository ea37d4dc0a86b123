"""What a run tells while it runs, and what it leaves behind in its folder."""
