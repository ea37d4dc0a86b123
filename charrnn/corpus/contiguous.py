"""One contiguous text, read from its first symbol to its last.

For training it is cut into B parallel streams of equal length, and the state is carried along them.
At their end the walk goes back to their beginning, where the state begins with zeros again.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.pieces import Pieces
from charrnn.corpus.vocabulary import Ids
from charrnn.corpus.windows import NOT_COUNTED, TrainingWindows, Window, fold_of

MIN_WINDOWS = 4
"""A training stream is at least this many windows long, so that carrying the state means something.
A batch gets fewer streams where there is not enough text."""


@dataclass(frozen=True, eq=False)
class ContiguousText:
    """A text whose every symbol but the first is predicted from those before it."""

    may_reset: ClassVar[bool] = True

    ids: Ids
    """(N,) the symbols, in order."""

    def __len__(self) -> int:
        """N, the number of symbols."""
        return len(self.ids)

    def first(self, num_symbols: int) -> "ContiguousText":
        """The first `num_symbols` symbols, or all where there are fewer."""
        return ContiguousText(self.ids[:num_symbols])

    def pieces(self) -> Pieces:
        """The whole text as one piece."""
        return Pieces(self.ids, np.zeros(1, np.int64), np.array([len(self.ids)]))

    def fitted_sizes(self, batch_size: int, seq_len: int) -> tuple[int, int]:
        """Windows no longer than a stream; and as few streams, halved, as hold MIN_WINDOWS each."""
        num_targets = len(self.ids) - 1
        seq_len = max(1, min(seq_len, num_targets // batch_size))
        while batch_size > 1 and num_targets // batch_size < MIN_WINDOWS * seq_len:
            batch_size = max(1, batch_size // 2)
        return batch_size, max(1, min(seq_len, num_targets // batch_size))

    def training_windows(self, batch_size: int, seq_len: int, seed: int) -> TrainingWindows:
        """The windows in the order of the text, whatever the seed; ValueError if there is none."""
        return ContiguousWindows(self.ids, batch_size, seq_len)

    def carried_windows(self, seq_len: int, batch_size: int) -> None:
        """None: this is one long text."""

    def separate_windows(self, seq_len: int, batch_size: int) -> Iterator[Window]:
        """The text in pieces of `seq_len` symbols, `batch_size` of them side by side.

        The last piece is read alone, and may be shorter.
        """
        num_targets = len(self.ids) - 1
        whole = num_targets // seq_len
        for number in range(0, whole, batch_size):
            starts = np.arange(number, min(number + batch_size, whole)) * seq_len  # (B,)
            yield self.window(starts + np.arange(seq_len)[:, None])
        if whole * seq_len < num_targets:
            yield self.window(np.arange(whole * seq_len, num_targets)[:, None])

    def window(self, places: NDArray[np.int64]) -> Window:
        """The fresh window (T, B) that reads the ids at `places` (T, B)."""
        inputs = self.ids[places].astype(np.int64)
        targets = self.ids[places + 1].astype(np.int64)
        return Window(inputs, targets, fresh=True, folds=fold_of(places + 1, len(self.ids)))

    def sampled_windows(
        self, num_symbols: int, warm_up: int, seq_len: int, batch_size: int
    ) -> Iterator[Window] | None:
        """Streams spread evenly over the text; None if they would not fit into it side by side."""
        num_targets = len(self.ids) - 1
        length = warm_up + math.ceil(num_symbols / batch_size)
        if length * batch_size > num_targets:
            return None
        starts = np.linspace(0, num_targets - length, batch_size).astype(np.int64)  # (B,)
        return self._spread_windows(starts, length, warm_up, seq_len)

    def _spread_windows(
        self, starts: NDArray[np.int64], length: int, warm_up: int, seq_len: int
    ) -> Iterator[Window]:
        """The windows of B streams that read `length` symbols each from `starts` (B,) on."""
        for start in range(0, length, seq_len):
            steps = np.arange(start, min(start + seq_len, length))[:, None]  # (T, 1)
            places = starts + steps  # (T, B)
            targets = self.ids[places + 1].astype(np.int64)
            yield Window(
                inputs=self.ids[places].astype(np.int64),
                targets=np.where(steps < warm_up, NOT_COUNTED, targets),
                fresh=start == 0,
            )


class ContiguousWindows(TrainingWindows):
    """The walk along the B parallel streams that a contiguous text is cut into."""

    def __init__(self, ids: Ids, batch_size: int, seq_len: int) -> None:
        length = (len(ids) - 1) // batch_size
        if length < seq_len:
            raise ValueError(f"{len(ids)} ids do not fill {batch_size} streams of {seq_len} steps")
        super().__init__(seq_len, per_epoch=length // seq_len)
        self._inputs = cut_into_streams(ids[:-1], batch_size, length)  # (B, S)
        self._targets = cut_into_streams(ids[1:], batch_size, length)  # (B, S)
        self._starts = np.arange(batch_size) * length  # (B,)
        self._num_ids = len(ids)

    def _window(self) -> Window:
        start = self.position * self.seq_len
        steps = slice(start, start + self.seq_len)
        return Window(
            inputs=np.ascontiguousarray(self._inputs[:, steps].T, dtype=np.int64),  # (T, B)
            targets=np.ascontiguousarray(self._targets[:, steps].T, dtype=np.int64),  # (T, B)
            fresh=self.position == 0,
            folds=fold_of(
                np.arange(start + 1, start + 1 + self.seq_len)[:, None] + self._starts,
                self._num_ids,
            ),
        )


def cut_into_streams(ids: Ids, num_streams: int, length: int) -> NDArray[np.unsignedinteger[Any]]:
    """The first `num_streams` * `length` of ids (N,) as a view (num_streams, length)."""
    return ids[: num_streams * length].reshape(num_streams, length)
