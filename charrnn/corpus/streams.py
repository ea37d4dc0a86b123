"""A text as B parallel streams, each with its own beginning to train on and end to judge by.

The text is cut into B streams of equal length, and a split is the same stretch of every stream. So
a held-back split lies at B places of the text, where the tail of the whole text lies at one. The
model reads the characters of the stretch and predicts the character behind each of them in the
text, even where that belongs to the next split; behind the very last character comes the first.

A training batch is these streams. Its windows go along them, and from their end back to their
beginning with the state still carried, as in char-rnn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from charrnn.corpus.pieces import Pieces
from charrnn.corpus.vocabulary import Ids
from charrnn.corpus.windows import TrainingWindows, Window, fold_of


@dataclass(frozen=True, eq=False)
class Streams:
    """The characters from `start` to before `stop` of each stream."""

    may_reset: ClassVar[bool] = True

    ids: Ids
    """(N,) the whole text in which the streams lie."""
    count: int
    """B: how many streams there are."""
    length: int
    """How many characters a whole stream has."""
    start: int
    """The first character of each stream that is in the split."""
    stop: int
    """The first character of each stream behind the split."""

    @classmethod
    def of(cls, ids: Ids, count: int, unit: int) -> "Streams":
        """The whole of `count` streams of ids (N,), as long as N allows in units of `unit`."""
        length = len(ids) // (count * unit) * unit
        return cls(ids, count, length, 0, length)

    def __len__(self) -> int:
        """The number of characters of all streams together."""
        return self.count * self.steps

    def pieces(self) -> Pieces:
        """The stretch of each stream."""
        first = np.arange(self.count) * self.length
        return Pieces(self.ids, first + self.start, first + self.stop)

    @property
    def steps(self) -> int:
        """How many characters of each stream are in the split."""
        return self.stop - self.start

    def part(self, start: int, stop: int) -> "Streams":
        """The characters from `start` to before `stop` of each stream's stretch in this split."""
        return replace(self, start=self.start + start, stop=self.start + stop)

    def first(self, num_symbols: int) -> "Streams":
        """Equally many first characters of each stream, `num_symbols` or a few more in all."""
        return self.part(0, min(self.steps, -(-num_symbols // self.count)))

    def fitted_sizes(self, batch_size: int, seq_len: int) -> tuple[int, int]:
        """The sizes as they are: the streams were cut to fit them."""
        return batch_size, seq_len

    def training_windows(self, batch_size: int, seq_len: int, seed: int) -> TrainingWindows:
        """The windows in the order of the text, whatever the seed; a batch is all streams."""
        assert batch_size == self.count
        return StreamWindows(self, seq_len)

    def carried_windows(self, seq_len: int, batch_size: int) -> Iterator[Window]:
        """All streams side by side, each from the zero state at its first character here."""
        for start in range(0, self.steps, seq_len):
            yield self.window(start, seq_len, fresh=start == 0)

    def separate_windows(self, seq_len: int, batch_size: int) -> Iterator[Window]:
        """All streams side by side, from the zero state every `seq_len` characters."""
        for start in range(0, self.steps, seq_len):
            yield self.window(start, seq_len, fresh=True)

    def sampled_windows(
        self, num_symbols: int, warm_up: int, seq_len: int, batch_size: int
    ) -> Iterator[Window]:
        """The beginnings of the streams: they are spread over the text already."""
        return self.first(num_symbols).carried_windows(seq_len, batch_size)

    def window(self, start: int, seq_len: int, *, fresh: bool) -> Window:
        """The window (T, B) of all streams from character `start` of each on.

        T is `seq_len`, or less where the streams end.
        """
        steps = np.arange(start, min(start + seq_len, self.steps))[:, None] + self.start  # (T, 1)
        places = steps + np.arange(self.count) * self.length  # (T, B)
        behind = (places + 1) % (self.count * self.length)  # (T, B)
        # Behind the stretch of a stream comes a symbol that is not counted; it may be of any fold.
        number = (
            np.minimum(steps - self.start + 1, self.steps - 1) + np.arange(self.count) * self.steps
        )
        return Window(
            self.ids[places].astype(np.int64),
            self.ids[behind].astype(np.int64),
            fresh,
            fold_of(number, len(self)),
        )


class StreamWindows(TrainingWindows):
    """The walk along parallel streams.

    No window is fresh: the state is carried from the end of an epoch into the next, as in char-rnn.
    """

    def __init__(self, streams: Streams, seq_len: int) -> None:
        super().__init__(seq_len, per_epoch=streams.steps // seq_len)
        self._streams = streams

    def _window(self) -> Window:
        return self._streams.window(self.position * self.seq_len, self.seq_len, fresh=False)
