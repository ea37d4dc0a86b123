"""A trained model at work: the logits of the next symbol, and the cost of a text. No torch."""
