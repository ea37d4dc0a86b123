"""Noticing that training has diverged: its loss has become one that no further step will mend."""

import math

MOST_ROLLBACKS = 3
"""How often a run that diverges goes on with half the learning rate, before it gives up."""
MARGIN_NATS = 0.5
"""A loss within this much of a uniform guess may still be one of a model in order."""


class DivergedError(Exception):
    """Training has diverged; the run catches it and goes back to its last evaluation."""

    def __init__(self, nats: float) -> None:
        """`nats` is the loss by which it was noticed, in nats per character; may be NaN."""
        super().__init__(nats)
        self.nats = nats


def check_loss(nats: float, vocab_size: int, best_nats: float | None) -> None:
    """Raise DivergedError for a training loss that a model in order does not have.

    A uniform guess loses ln V. Once a model has done better on the validation split (`best_nats`)
    it does not do worse than that; and even a first step on text that it does not expect loses less
    than twice as much and a bit. All losses are in nats per character.
    """
    uniform = math.log(vocab_size)
    has_learned = best_nats is not None and best_nats < uniform - MARGIN_NATS
    if not nats <= (uniform + MARGIN_NATS if has_learned else 2 * uniform + 2):
        raise DivergedError(nats)
