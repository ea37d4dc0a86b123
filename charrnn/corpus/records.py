"""Lines as records: each a text of its own, read from the zero state after a newline.

A record is a line with the newline that ends it (the last one may lack it). What is read for it is
a newline and then its characters; what is predicted is its characters and then its newline.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.errors import CorpusError

SHUFFLE_SEED = 0
"""Of the order in which records are split. It never changes, so that figures can be compared."""
NOT_COUNTED = -100
"""The target where a record is over: cross entropy leaves it out."""
_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class Records:
    """Some of the lines of a text. Costs 16 bytes of memory for each."""

    ids: Ids
    """The whole text."""
    newline: int
    starts: NDArray[np.int64]
    """(R,) where each record begins in `ids`."""
    lengths: NDArray[np.int64]
    """(R,) its symbols, the newline included."""

    def __len__(self) -> int:
        """Symbols of all records together."""
        return self._size

    @cached_property
    def _size(self) -> int:
        return int(self.lengths.sum())

    def part(self, start: int, stop: int) -> "Records":
        """The records from `start` to before `stop`."""
        return Records(self.ids, self.newline, self.starts[start:stop], self.lengths[start:stop])

    def __getitem__(self, symbols: slice) -> "Records":
        """As many whole records as `[:stop]` symbols hold, and at least one."""
        assert symbols.start is None
        assert symbols.step is None
        if symbols.stop is None or symbols.stop >= len(self):
            return self
        return self.part(0, max(1, int(np.searchsorted(self.lengths.cumsum(), symbols.stop))))

    def batches(self, size: int) -> Iterator[NDArray[np.int64]]:
        """The records' numbers, `size` at a time, records of like length together."""
        order = np.argsort(self.lengths, kind="stable")
        for start in range(0, len(order), size):
            yield order[start : start + size]

    def window(
        self, numbers: NDArray[np.int64], start: int, seq_len: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Inputs and targets (T, B) of records `numbers` (B,) from their symbol `start` on.

        T is `seq_len`, or less where all of them end earlier. Behind a record's end a newline is
        read and the target is NOT_COUNTED.
        """
        lengths = self.lengths[numbers]
        steps = np.arange(start, min(start + seq_len, int(lengths.max())))[:, None]  # (T, 1)
        inside = steps < lengths  # (T, B)
        places = self.starts[numbers] + np.minimum(steps, lengths - 1)  # (T, B)
        targets = self.ids[places].astype(np.int64)
        before = self.ids[np.maximum(places - 1, 0)].astype(np.int64)
        inputs = np.where(inside & (steps > 0), before, self.newline)
        return inputs, np.where(inside, targets, NOT_COUNTED)


def shuffled_records(ids: Ids, vocabulary: Vocabulary) -> Records:
    """Every line of a text, in the one shuffled order; raise CorpusError if there is only one."""
    newline = vocabulary.characters.find("\n")
    ends = [np.zeros(1, np.int64)]
    for start in range(0, len(ids), _BLOCK):
        ends.append(np.flatnonzero(ids[start : start + _BLOCK] == newline) + (start + 1))
    bounds = np.concatenate(ends)
    if bounds[-1] != len(ids):
        bounds = np.append(bounds, len(ids))
    if len(bounds) < 3:
        raise CorpusError("--records line: the text is a single line; there is nothing to split")
    order = np.random.Generator(np.random.Philox(SHUFFLE_SEED)).permutation(len(bounds) - 1)
    return Records(ids, newline, bounds[:-1][order], np.diff(bounds)[order])
