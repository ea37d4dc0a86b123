"""A text as ids, and its splits: one to train on, one to validate by, one to test by."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.ids_file import EncodedText, check_ids
from charrnn.corpus.records import Records, shuffled_records
from charrnn.corpus.split import Split
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.streams import Streams
from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.errors import CorpusError

SplitName = Literal["train", "validation", "test"]

MIN_SPLIT = 2
"""The fewest symbols that a split can be judged by: one to read and one to predict."""
_BLOCK = 1 << 22
"""How many ids are checked at a time."""


@dataclass(frozen=True, eq=False)
class EncodedCorpus:
    """A whole text as ids, which can be split."""

    name: str
    """What the text is called in messages and files."""
    vocabulary: Vocabulary
    ids: Ids
    """(N,) every symbol of the text, in order; often mapped from a file, never copied whole."""
    sha256: str
    """SHA-256 of the text as UTF-8, or of the bytes as they are in byte mode, in hexadecimal."""
    splits: SplitConfig
    """How much of the text is held back, and where."""

    @classmethod
    def from_text(cls, text: str | bytes, name: str, splits: SplitConfig) -> "EncodedCorpus":
        """Encode a text that is in memory; raises CorpusError where `from_encoded` does."""
        vocabulary = Vocabulary.from_text(text)
        data = text if isinstance(text, bytes) else text.encode()
        digest = hashlib.sha256(data).hexdigest()
        encoded = EncodedText(vocabulary, vocabulary.encode(text), digest)
        return cls.from_encoded(encoded, name, splits)

    @classmethod
    def from_encoded(cls, text: EncodedText, name: str, splits: SplitConfig) -> "EncodedCorpus":
        """The corpus of `text`; raises CorpusError if it is too short or is all one character."""
        vocabulary = text.vocabulary
        if len(vocabulary) < 2:
            raise CorpusError(
                f"{name} has a single distinct character, {vocabulary.characters!r}: "
                "there is nothing to learn"
            )
        corpus = cls(name, vocabulary, text.ids, text.sha256, splits)
        corpus._check_length("train")
        corpus._check_length("validation")
        return corpus

    def _check_length(self, name: SplitName) -> None:
        """Raise CorpusError if nothing in the split called `name` could be predicted."""
        length = len(self.split(name))
        if length < MIN_SPLIT:
            raise CorpusError(
                f"{self.name} is too short: of its {len(self.ids)} characters, "
                f"{length} are left for {name}, and {MIN_SPLIT} are needed" + self._remedy()
            )

    def _remedy(self) -> str:
        """What to do about a split that is too short, as the end of a message."""
        splits = self.splits
        if splits.split == "tail":
            return ""
        sizes = f"{splits.num_streams} streams of {splits.stream_unit} characters or more"
        return f": `split` streams makes {sizes}; lower `batch_size` or `seq_len`"

    @property
    def record_end(self) -> int | None:
        """The id of the newline that ends each record; None if there are no records."""
        return None if self.splits.records is None else self._records.newline

    @cached_property
    def _records(self) -> Records:
        return shuffled_records(self.ids, self.vocabulary)

    @cached_property
    def _streams(self) -> Streams:
        splits = self.splits
        assert splits.num_streams is not None
        assert splits.stream_unit is not None
        return Streams.of(self.ids, splits.num_streams, splits.stream_unit)

    def split(self, name: SplitName) -> Split:
        """The split called `name`; no two splits share a symbol."""
        if self.splits.split == "streams":
            unit = self.splits.stream_unit
            assert unit is not None
            start, stop = self._share(name, self._streams.steps // unit)
            return self._streams.part(start * unit, stop * unit)
        if self.splits.records is not None:
            return self._records.part(*self._share(name, len(self._records.starts)))
        start, stop = self._share(name, len(self.ids))
        return ContiguousText(self.ids[start:stop])

    def _share(self, name: SplitName, total: int) -> tuple[int, int]:
        """Which of `total` characters, records or windows are of the split: (start, stop)."""
        place = ("train", "validation", "test").index(name)
        counts = self.splits.counts(total)
        start = sum(counts[:place])
        return start, start + counts[place]

    def checked_split(self, name: SplitName) -> Split:
        """The split called `name`, after every id that it is cut from was looked at.

        Raises CorpusError if an id is not the vocabulary's.
        """
        split = self.split(name)
        for start in range(0, len(split.ids), _BLOCK):
            check_ids(split.ids[start : start + _BLOCK], len(self.vocabulary))
        return split
