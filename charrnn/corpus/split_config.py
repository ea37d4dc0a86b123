"""How much of a text is held back to judge by, and where it lies. No numpy."""

from dataclasses import dataclass
from typing import Literal

from charrnn.errors import UsageError
from charrnn.options import Range, check_options, option

SPLIT = "Held-back text"


@dataclass(frozen=True)
class SplitConfig:
    """How much of the text is held back.

    Splits are contiguous: train, validation, test. Records are shuffled first, always in the same
    way, and a split holds whole ones. Where a batch is cut into streams before that, as in
    char-rnn, each stream has its own splits.
    """

    val_frac: float = option(
        0.1,
        "Fraction of the text, or of the records, that is held back for validation: the end of the "
        "text, before the test part.",
        SPLIT,
        "X",
        within=Range(0, below=1),
    )
    test_frac: float = option(
        0.0,
        "Fraction of the text, or of the records, that is held back for the test: the very end.",
        SPLIT,
        "X",
        within=Range(0, below=1),
    )
    records: Literal["line"] | None = option(
        None,
        "line: each line is a text of its own, such as a name; lines are shuffled before they are "
        "split. Left out, the text is one whole.",
        SPLIT,
    )
    split: Literal["tail", "streams"] = option(
        "tail",
        "Where the held-back text lies: at the end of the whole text (tail), or at the end of each "
        "stream of a batch, as in char-rnn (streams).",
        SPLIT,
    )
    num_streams: int | None = None
    """How many streams the text is cut into, with `split` "streams": the batch size."""
    stream_unit: int | None = None
    """Each split of a stream is a multiple of this many characters, with `split` "streams": the
    length of a window."""

    def __post_init__(self) -> None:
        check_options(self)
        if self.val_frac == 0.0:
            raise UsageError(
                "`val_frac` 0: the best model is chosen by validation; give it some text"
            )
        if self.val_frac + self.test_frac >= 1.0:
            total = self.val_frac + self.test_frac
            raise UsageError(
                f"`val_frac` and `test_frac` add up to {total:g}: leave text to train on"
            )
        if self.split == "streams" and self.records is not None:
            raise UsageError(
                "`split` streams: records have no streams; leave out `records`, or ask for "
                "`split` tail"
            )
        if self.split == "streams" and min(self.num_streams or 0, self.stream_unit or 0) < 1:
            raise UsageError("`split` streams: needs to know the sizes of the batch and the window")

    def counts(self, total: int) -> tuple[int, int, int]:
        """How `total` things are shared out: (train, validation, test).

        Of streams these are windows, which char-rnn rounds in its own way.
        """
        if self.split == "streams":
            train = int(total * (1 - self.val_frac - self.test_frac))
            validation = int(total * self.val_frac) if self.test_frac else total - train
            return train, validation, total - train - validation
        test = round(total * self.test_frac)
        validation = round(total * self.val_frac)
        return total - validation - test, validation, test
