"""Noticing that training has diverged: its loss has become one that no further step will mend."""

import math

MOST_ROLLBACKS = 3
"""How often a run that diverges goes on with half the learning rate, before it gives up."""
MARGIN_NATS = 0.5
"""Nats above the loss of a uniform guess that a model which has learned may still have."""


class DivergedError(Exception):
    """Training has diverged; the run catches it and goes back to its last evaluation."""

    def __init__(self, nats: float) -> None:
        """`nats` is the loss by which it was noticed, in nats per character; may be NaN."""
        super().__init__(nats)
        self.nats = nats


def check_loss(nats: float, vocab_size: int, best_nats: float | None) -> None:
    """Raise DivergedError for a training loss that no model has unless it diverged.

    A uniform guess loses ln V. A model whose best evaluation (`best_nats`) was better than that by
    more than MARGIN_NATS may lose ln V + MARGIN_NATS; one that has not learned yet 2 ln V + 2, as
    a first step on text that it does not expect may. All losses are in nats per character.
    """
    uniform = math.log(vocab_size)
    has_learned = best_nats is not None and best_nats < uniform - MARGIN_NATS
    if not nats <= (uniform + MARGIN_NATS if has_learned else 2 * uniform + 2):
        raise DivergedError(nats)
