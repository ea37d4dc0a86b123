"""Windows for truncated back-propagation through time, with a position to resume from.

Text is cut into B parallel streams of equal length. A window is T consecutive steps of all streams,
time-major; the next window begins where this one ended, so the state can be carried. At the end of
the streams the position goes back to the start and the state must begin afresh.

Records are read B at a time, those of like length together. Where the longest is longer than T they
take several windows, between which the state is carried; the next B records begin afresh.

Streams are what a batch is: the windows go along them, and from their end back to their beginning
with the state still carried, as in char-rnn.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.encoded import Split
from charrnn.corpus.records import Records
from charrnn.corpus.streams import Streams
from charrnn.corpus.vocabulary import Ids

MIN_WINDOWS = 4
"""Streams are kept at least this many windows long, so that carrying the state means something."""


@dataclass(frozen=True)
class Window:
    """T steps of B streams: what is read and what should be predicted."""

    inputs: NDArray[np.int64]  # (T, B)
    targets: NDArray[np.int64]  # (T, B), the inputs one step later, or records.NOT_COUNTED
    fresh: bool
    """True at the start of the streams: the state carried so far belongs to other text."""

    @cached_property
    def characters(self) -> int:
        """How many targets count."""
        return int(np.count_nonzero(self.targets >= 0))


def fit(num_ids: int, batch_size: int, seq_len: int) -> tuple[int, int]:
    """Shrink (batch_size, seq_len) until each stream of `num_ids` ids holds MIN_WINDOWS windows."""
    while batch_size > 1 and (num_ids - 1) // batch_size < MIN_WINDOWS * seq_len:
        batch_size = max(1, batch_size // 2)
    return batch_size, max(1, min(seq_len, (num_ids - 1) // batch_size))


def make_windows(
    split: Split, batch_size: int, seq_len: int, seed: int
) -> "Windows | RecordWindows | StreamWindows":
    """The windows of contiguous text, of records in an order that `seed` decides, or of streams."""
    if isinstance(split, Records):
        return RecordWindows(split, batch_size, seq_len, seed)
    if isinstance(split, Streams):
        assert split.count == batch_size
        return StreamWindows(split, seq_len)
    return Windows(split, batch_size, seq_len)


class Windows:
    """An endless walk over the windows of a text. `position` and `epoch` are its whole state."""

    def __init__(self, ids: Ids, batch_size: int, seq_len: int) -> None:
        stream_length = (len(ids) - 1) // batch_size
        if stream_length < seq_len:
            raise ValueError(f"{len(ids)} ids do not fill {batch_size} streams of {seq_len} steps")
        self.seq_len = seq_len
        self.position = 0
        self.epoch = 0
        self.per_epoch = stream_length // seq_len
        self._inputs = _streams(ids[:-1], batch_size, stream_length)  # (B, S)
        self._targets = _streams(ids[1:], batch_size, stream_length)  # (B, S)

    def next(self) -> Window:
        """Return the window at `position` and move on."""
        start = self.position * self.seq_len
        steps = slice(start, start + self.seq_len)
        window = Window(
            inputs=np.ascontiguousarray(self._inputs[:, steps].T, dtype=np.int64),  # (T, B)
            targets=np.ascontiguousarray(self._targets[:, steps].T, dtype=np.int64),  # (T, B)
            fresh=self.position == 0,
        )
        _move_on(self)
        return window


class RecordWindows:
    """An endless walk over records, in another order each epoch; the same state as Windows."""

    def __init__(self, records: Records, batch_size: int, seq_len: int, seed: int) -> None:
        self.seq_len = seq_len
        self.position = 0
        self.epoch = 0
        self._records = records
        self._batch_size = batch_size
        self._seed = seed
        longest = records.lengths[self._sorted(np.arange(len(records.lengths)))].max(axis=1)
        self._parts = -(-longest // seq_len)  # (K,) windows that each batch takes
        self.per_epoch = int(self._parts.sum())
        self._ordered_for = -1
        self._batches = np.empty((0, 0), np.int64)  # (K, B) in this epoch's order
        self._ends = np.empty(0, np.int64)  # (K,) the position behind each batch

    def next(self) -> Window:
        """Return the window at `position` and move on."""
        if self._ordered_for != self.epoch:
            self._order()
        batch = int(np.searchsorted(self._ends, self.position, side="right"))
        part = self.position - (int(self._ends[batch - 1]) if batch else 0)
        inputs, targets = self._records.window(
            self._batches[batch], part * self.seq_len, self.seq_len
        )
        _move_on(self)
        return Window(inputs, targets, fresh=part == 0)

    def _order(self) -> None:
        """Shuffle for this epoch: which records of one length meet, and which batch comes when."""
        random = np.random.Generator(np.random.Philox(key=[self._seed, self.epoch]))
        batches = self._sorted(random.permutation(len(self._records.lengths)))
        order = random.permutation(len(batches))
        self._batches = batches[order]
        self._ends = self._parts[order].cumsum()
        self._ordered_for = self.epoch

    def _sorted(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Records by length, B to a batch, (K, B); the last batch is filled with long ones again.

        The lengths in a batch do not depend on the order of `numbers`.
        """
        ordered = numbers[np.argsort(self._records.lengths[numbers], kind="stable")]
        missing = -len(ordered) % self._batch_size
        filled = np.concatenate([ordered, np.resize(ordered[::-1], missing)])
        return filled.reshape(-1, self._batch_size)


class StreamWindows:
    """An endless walk along streams; the same state as Windows."""

    def __init__(self, streams: Streams, seq_len: int) -> None:
        self.seq_len = seq_len
        self.position = 0
        self.epoch = 0
        self.per_epoch = streams.steps // seq_len
        self._streams = streams

    def next(self) -> Window:
        """Return the window at `position` and move on."""
        inputs, targets = self._streams.window(self.position * self.seq_len, self.seq_len)
        _move_on(self)
        return Window(inputs, targets, fresh=False)


def _move_on(windows: Windows | RecordWindows | StreamWindows) -> None:
    windows.position += 1
    if windows.position == windows.per_epoch:
        windows.position = 0
        windows.epoch += 1


def _streams(ids: Ids, batch_size: int, length: int) -> NDArray[np.unsignedinteger[Any]]:
    return ids[: batch_size * length].reshape(batch_size, length)
