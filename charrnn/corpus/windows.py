"""Contiguous windows for truncated back-propagation through time, with a position to resume from.

The training ids are cut into B parallel streams of equal length. A window is T consecutive steps of
all streams, time-major; the next window begins where this one ended, so the state can be carried.
At the end of the streams the position goes back to the start and the state must begin afresh.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.vocabulary import Ids

MIN_WINDOWS = 4
"""Streams are kept at least this many windows long, so that carrying the state means something."""


@dataclass(frozen=True)
class Window:
    """T steps of B streams: what is read and what should be predicted."""

    inputs: NDArray[np.int64]  # (T, B)
    targets: NDArray[np.int64]  # (T, B), the inputs one step later
    fresh: bool
    """True at the start of the streams: the state carried so far belongs to other text."""


def fit(num_ids: int, batch_size: int, seq_len: int) -> tuple[int, int]:
    """Shrink (batch_size, seq_len) until each stream of `num_ids` ids holds MIN_WINDOWS windows."""
    while batch_size > 1 and (num_ids - 1) // batch_size < MIN_WINDOWS * seq_len:
        batch_size = max(1, batch_size // 2)
    return batch_size, max(1, min(seq_len, (num_ids - 1) // batch_size))


class Windows:
    """An endless walk over the windows of a corpus. `position` and `epoch` are its whole state."""

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
        self.position += 1
        if self.position == self.per_epoch:
            self.position = 0
            self.epoch += 1
        return window


def _streams(ids: Ids, batch_size: int, length: int) -> NDArray[np.unsignedinteger[Any]]:
    return ids[: batch_size * length].reshape(batch_size, length)
