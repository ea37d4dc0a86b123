"""How fast charrnn is on this machine, beside what a PyTorch user would write (`make bench`)."""
