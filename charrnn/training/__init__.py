"""Training: the calibration that makes a plan, the steps, and the run that carries a plan out."""
