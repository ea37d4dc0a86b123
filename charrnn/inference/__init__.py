"""A trained model at work: the next character's logits, and the cost of a text. No torch."""
