"""Learning: the plan, the steps, the events they yield, and the run that keeps them."""
