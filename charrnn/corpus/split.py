"""What training and scoring ask of a split: the text to learn from, or the text to judge by."""

from collections.abc import Iterator
from typing import ClassVar, Protocol

from charrnn.corpus.pieces import Pieces
from charrnn.corpus.vocabulary import Ids
from charrnn.corpus.windows import TrainingWindows, Window


class Split(Protocol):
    """A part of a corpus: contiguous text, independent records, or parallel streams.

    Who trains on a split or judges by it asks these questions, and never which of the three it is.
    """

    may_reset: ClassVar[bool]
    """Whether the state may be set to zero between two windows that follow each other. In records
    it may not: each begins with the zero state anyhow, and the state carried from there belongs to
    it until its end. For the same reason a record is never scored in separate windows."""

    @property
    def ids(self) -> Ids:
        """(N,) all ids that the windows are made of.

        There are more of them than the split has symbols where its records or streams lie scattered
        in the whole text.
        """

    def __len__(self) -> int:
        """The number of symbols in the split."""

    def pieces(self) -> Pieces:
        """Where the texts that the split is made of lie, in the order in which they are counted."""

    def first(self, num_symbols: int) -> "Split":
        """The beginning of the split: about `num_symbols` symbols, or all if it has no more."""

    def fitted_sizes(self, batch_size: int, seq_len: int) -> tuple[int, int]:
        """The (batch_size, seq_len) to train with: as given, or smaller where the text is short."""

    def training_windows(self, batch_size: int, seq_len: int, seed: int) -> TrainingWindows:
        """The walk over windows (T, B) of `seq_len` steps of `batch_size` streams.

        `seed` decides their order where the text does not.
        """

    def carried_windows(self, seq_len: int, batch_size: int) -> Iterator[Window] | None:
        """The windows that predict every symbol once, from all that comes before it in its text.

        At most `batch_size` texts are read side by side, or as many as the split has streams. None
        if the whole split is one text: its parts could be read side by side only if the states
        between them were known.
        """

    def separate_windows(self, seq_len: int, batch_size: int) -> Iterator[Window]:
        """The windows that predict every symbol once, from no more than `seq_len` symbols.

        Each window is fresh. Only where the state may not be reset do they equal `carried_windows`.
        """

    def sampled_windows(
        self, num_symbols: int, warm_up: int, seq_len: int, batch_size: int
    ) -> Iterator[Window] | None:
        """The windows that predict about `num_symbols` symbols, to estimate the cost of all.

        A stream that begins in the middle of a text first reads `warm_up` symbols, whose targets
        are NOT_COUNTED. None if the split is so short that the sample would be as long.
        """
