"""N-gram experts: what follows each context in a text, counted, as a share of a net's logits."""
