"""Lines as independent records: each is read from the zero state, after a newline.

A record is one line with the newline that ends it; the last line of a text may lack its newline.
The model reads a newline and then the record up to its last symbol but one, and predicts the whole
record.

Records are read B at a time, and those of like length together. Where the longest of them is longer
than a window, they take several windows, along which the state is carried; the next B records begin
with the zero state.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.pieces import Pieces
from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.corpus.windows import NOT_COUNTED, TrainingWindows, Window, fold_of
from charrnn.errors import CorpusError

SHUFFLE_SEED = 0
"""The seed of the order in which records are shared out among the splits. It never changes, so that
the figures of different runs can be compared."""
_BLOCK = 1 << 22
"""How many ids are searched for newlines at a time."""


@dataclass(frozen=True, eq=False)
class Records:
    """Some of the lines of a text. Each takes 16 bytes of memory."""

    may_reset: ClassVar[bool] = False

    ids: Ids
    """(N,) the whole text in which the records lie."""
    newline: int
    """The id of the newline."""
    starts: NDArray[np.int64]
    """(R,) where each record begins in `ids`."""
    lengths: NDArray[np.int64]
    """(R,) the number of symbols of each record, its newline included."""

    def __len__(self) -> int:
        """The number of symbols of all records together."""
        return self._num_symbols

    @cached_property
    def _num_symbols(self) -> int:
        return int(self.lengths.sum())

    def part(self, start: int, stop: int) -> "Records":
        """The records from number `start` to before number `stop`."""
        return Records(self.ids, self.newline, self.starts[start:stop], self.lengths[start:stop])

    def first(self, num_symbols: int) -> "Records":
        """The first whole records that lie within `num_symbols` symbols, and at least one."""
        if num_symbols >= len(self):
            return self
        return self.part(0, max(1, int(np.searchsorted(self.lengths.cumsum(), num_symbols))))

    def pieces(self) -> Pieces:
        """Each record, which is read after a newline and is of one fold."""
        return Pieces(self.ids, self.starts, self.starts + self.lengths, self.newline)

    def fitted_sizes(self, batch_size: int, seq_len: int) -> tuple[int, int]:
        """The sizes as they are: any number of records fills a batch, if need be several times."""
        return batch_size, seq_len

    def training_windows(self, batch_size: int, seq_len: int, seed: int) -> TrainingWindows:
        """Every record once an epoch; `seed` decides which meet in a batch and in what order."""
        return RecordWindows(self, batch_size, seq_len, seed)

    def carried_windows(self, seq_len: int, batch_size: int) -> Iterator[Window]:
        """Every record once, the shortest first, each from the zero state."""
        order = np.argsort(self.lengths, kind="stable")
        for number in range(0, len(order), batch_size):
            batch = order[number : number + batch_size]
            for start in range(0, int(self.lengths[batch].max()), seq_len):
                yield self.window(batch, start, seq_len)

    def separate_windows(self, seq_len: int, batch_size: int) -> Iterator[Window]:
        """The same as `carried_windows`: records are separate already, and are not cut."""
        return self.carried_windows(seq_len, batch_size)

    def sampled_windows(
        self, num_symbols: int, warm_up: int, seq_len: int, batch_size: int
    ) -> Iterator[Window]:
        """The first records: they are shuffled already, and need no `warm_up`."""
        return self.first(num_symbols).carried_windows(seq_len, batch_size)

    def window(self, batch: NDArray[np.int64], start: int, seq_len: int) -> Window:
        """The window (T, B) of the records numbered `batch` (B,), from their symbol `start` on.

        T is `seq_len`, or less where all of these records end earlier. Behind a record's end a
        newline is read, and the target is NOT_COUNTED.
        """
        lengths = self.lengths[batch]
        steps = np.arange(start, min(start + seq_len, int(lengths.max())))[:, None]  # (T, 1)
        inside = steps < lengths  # (T, B)
        places = self.starts[batch] + np.minimum(steps, lengths - 1)  # (T, B)
        targets = self.ids[places].astype(np.int64)
        before = self.ids[np.maximum(places - 1, 0)].astype(np.int64)
        return Window(
            inputs=np.where(inside & (steps > 0), before, self.newline),
            targets=np.where(inside, targets, NOT_COUNTED),
            fresh=start == 0,
            folds=np.broadcast_to(fold_of(batch, len(self.starts)), targets.shape),
        )


class RecordWindows(TrainingWindows):
    """The walk over all records, in another order each epoch."""

    def __init__(self, records: Records, batch_size: int, seq_len: int, seed: int) -> None:
        self._records = records
        self._batch_size = batch_size
        self._seed = seed
        batches = self._sorted_batches(np.arange(len(records.lengths)))
        longest = records.lengths[batches].max(axis=1)  # (K,)
        self._windows_of_batch = -(-longest // seq_len)  # (K,)
        super().__init__(seq_len, per_epoch=int(self._windows_of_batch.sum()))
        self._ordered_for = -1  # the epoch whose order the next two arrays hold
        self._batches = np.empty((0, 0), np.int64)  # (K, B) numbers of records
        self._ends = np.empty(0, np.int64)  # (K,) the position behind each batch

    def _window(self) -> Window:
        if self._ordered_for != self.epoch:
            self._shuffle()
        batch = int(np.searchsorted(self._ends, self.position, side="right"))
        first_position = int(self._ends[batch - 1]) if batch else 0
        start = (self.position - first_position) * self.seq_len
        return self._records.window(self._batches[batch], start, self.seq_len)

    def _shuffle(self) -> None:
        """Draw which records of one length meet in this epoch, and in what order batches come."""
        random = np.random.Generator(np.random.Philox(key=[self._seed, self.epoch]))
        batches = self._sorted_batches(random.permutation(len(self._records.lengths)))
        order = random.permutation(len(batches))
        self._batches = batches[order]
        self._ends = self._windows_of_batch[order].cumsum()
        self._ordered_for = self.epoch

    def _sorted_batches(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The records numbered `numbers` (R,) by length, B to a batch: (K, B).

        The last batch is filled up with the longest records once more. The lengths in a batch do
        not depend on the order of `numbers`.
        """
        ordered = numbers[np.argsort(self._records.lengths[numbers], kind="stable")]
        missing = -len(ordered) % self._batch_size
        filled = np.concatenate([ordered, np.resize(ordered[::-1], missing)])
        return filled.reshape(-1, self._batch_size)


def shuffled_records(ids: Ids, vocabulary: Vocabulary) -> Records:
    """Every line of the text ids (N,), in the one shuffled order.

    Raises CorpusError if the text is a single line.
    """
    newline = vocabulary.characters.find("\n")
    ends = [np.zeros(1, np.int64)]
    for start in range(0, len(ids), _BLOCK):
        ends.append(np.flatnonzero(ids[start : start + _BLOCK] == newline) + (start + 1))
    bounds = np.concatenate(ends)  # (R + 1,) where each record begins, and where the last one ends
    if bounds[-1] != len(ids):
        bounds = np.append(bounds, len(ids))
    if len(bounds) < 3:
        raise CorpusError("`records` line: the text is a single line; there is nothing to split")
    order = np.random.Generator(np.random.Philox(SHUFFLE_SEED)).permutation(len(bounds) - 1)
    return Records(ids, newline, bounds[:-1][order], np.diff(bounds)[order])
