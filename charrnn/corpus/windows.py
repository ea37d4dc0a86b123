"""Windows for truncated back-propagation through time, and the walk over them in training.

A window is T consecutive steps of B streams that are read side by side. It is time-major, so that
one step of all streams is one contiguous row. Where the next window goes on with the same text, the
state after one window is the initial state of the next.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

NOT_COUNTED = -100
"""The target of a step whose prediction costs nothing, as where a stream is already over. It is the
value that torch's cross entropy leaves out by default."""
FOLDS = 9
"""Number of pieces of a training text that n-grams are counted in. What is learned at a place of
the text is learned beside the counts of all pieces but its own (experts/counting.py)."""


def fold_of(places: NDArray[np.int64], total: int) -> NDArray[np.uint8]:
    """The fold of each of `places`, which are numbers of `total` symbols or records in a row."""
    return (places * FOLDS // max(1, total)).astype(np.uint8)


@dataclass(frozen=True)
class Window:
    """T steps of B streams: the ids to read, and the ids to predict."""

    inputs: NDArray[np.int64]  # (T, B)
    targets: NDArray[np.int64]  # (T, B), the ids that follow the inputs, or NOT_COUNTED
    fresh: bool
    """Whether the streams begin with this window, from the zero state. Where it is False, they go
    on from the state after the window before."""
    folds: NDArray[np.uint8] | None = None  # (T, B)
    """The fold of each target's place, if the text is the one that is counted; None where only a
    sample of a text is read."""

    @cached_property
    def characters(self) -> int:
        """How many targets count."""
        return int(np.count_nonzero(self.targets >= 0))


class TrainingWindows(ABC):
    """An endless walk over the training windows of a split, one epoch after another.

    `position` and `epoch` are its whole state: another walk over the same split, with the same
    sizes and seed, goes on from here once both are set to the same numbers.
    """

    def __init__(self, seq_len: int, per_epoch: int) -> None:
        self.seq_len = seq_len
        """T: the steps of a window. Only a window of records may have fewer."""
        self.per_epoch = per_epoch
        """How many windows an epoch has."""
        self.position = 0
        """How many windows of this epoch were read: the next window's number in it."""
        self.epoch = 0
        """How many epochs were read to their end."""

    def next(self) -> Window:
        """Return the window at `position` of `epoch`, and move on."""
        window = self._window()
        self.position += 1
        if self.position == self.per_epoch:
            self.position = 0
            self.epoch += 1
        return window

    @abstractmethod
    def _window(self) -> Window:
        """The window at `position` of `epoch`."""
