"""A text as parallel streams, each with its own beginning to train on and end to judge by.

The text is cut into B streams of equal length; a split is the same part of every stream. So it has
the text's end in it, and also the middle: B places in all, where a text held back at its end has
one. What is read is any character of the part, what is predicted the one behind it in the text,
even where that belongs to the next part; after the very last character it is the first.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.vocabulary import Ids


@dataclass(frozen=True, eq=False)
class Streams:
    """The characters from `start` to before `stop` of each stream."""

    ids: Ids
    """The whole text."""
    count: int
    """B: how many streams."""
    length: int
    """Characters of a whole stream."""
    start: int
    stop: int

    @classmethod
    def of(cls, ids: Ids, count: int, unit: int) -> "Streams":
        """The whole of `count` streams, as long as `ids` allow in steps of `unit` characters."""
        length = len(ids) // (count * unit) * unit
        return cls(ids, count, length, 0, length)

    def __len__(self) -> int:
        """Characters of all streams together."""
        return self.count * self.steps

    @property
    def steps(self) -> int:
        """Characters of each stream."""
        return self.stop - self.start

    def part(self, start: int, stop: int) -> "Streams":
        """From character `start` to before `stop` of each stream."""
        return replace(self, start=self.start + start, stop=self.start + stop)

    def __getitem__(self, characters: slice) -> "Streams":
        """The beginnings of the streams that hold `[:stop]` characters together, about."""
        assert characters.start is None
        assert characters.step is None
        if characters.stop is None:
            return self
        return self.part(0, min(self.steps, -(-characters.stop // self.count)))

    def window(self, start: int, seq_len: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Inputs and targets (T, B) from character `start` of each stream on.

        T is `seq_len`, or less where the streams end.
        """
        steps = np.arange(start, min(start + seq_len, self.steps))[:, None] + self.start  # (T, 1)
        places = steps + np.arange(self.count) * self.length  # (T, B)
        behind = (places + 1) % (self.count * self.length)
        return self.ids[places].astype(np.int64), self.ids[behind].astype(np.int64)
