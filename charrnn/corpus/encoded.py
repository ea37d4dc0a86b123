"""A text as ids, with its splits: what to train on, and what is held back to judge by."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from charrnn.corpus.ids_file import EncodedText, check_ids
from charrnn.corpus.records import Records, shuffled_records
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.streams import Streams
from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.errors import CorpusError

SplitName = Literal["train", "validation", "test"]
Split: TypeAlias = Ids | Records | Streams
"""Contiguous text, independent records, or a part of each of many streams; `len` is the number of
symbols of any."""

MIN_SPLIT = 2
"""The fewest characters a split can be judged on: one to read and one to predict."""
_CHECKED = 1 << 22


@dataclass(frozen=True, eq=False)
class EncodedCorpus:
    """A whole text as ids, and where its splits begin."""

    name: str
    vocabulary: Vocabulary
    ids: Ids
    """(N,) every character of the text, in order; often mapped from a file, never copied whole."""
    sha256: str
    """Of the text as UTF-8, or of the bytes as they are."""
    splits: SplitConfig

    @classmethod
    def from_text(cls, text: str | bytes, name: str, splits: SplitConfig) -> "EncodedCorpus":
        """Encode a text that is in memory; raises what `from_encoded` does."""
        vocabulary = Vocabulary.from_text(text)
        data = text if isinstance(text, bytes) else text.encode()
        digest = hashlib.sha256(data).hexdigest()
        encoded = EncodedText(vocabulary, vocabulary.encode(text), digest)
        return cls.from_encoded(encoded, name, splits)

    @classmethod
    def from_encoded(cls, text: EncodedText, name: str, splits: SplitConfig) -> "EncodedCorpus":
        """Split `text`; raise CorpusError if it is too short or is all one character."""
        vocabulary = text.vocabulary
        if len(vocabulary) < 2:
            raise CorpusError(
                f"{name} has a single distinct character, {vocabulary.characters!r}: "
                "there is nothing to learn"
            )
        corpus = cls(name, vocabulary, text.ids, text.sha256, splits)
        for split in ("train", "validation"):
            if len(corpus.split(split)) < MIN_SPLIT:
                raise CorpusError(
                    f"{name} is too short: of its {len(text.ids)} characters, "
                    f"{len(corpus.split(split))} are left for {split}, and {MIN_SPLIT} are needed"
                    + corpus._way_out()
                )
        return corpus

    @property
    def record_end(self) -> int | None:
        """The id of the newline that ends each record; None if the text is one whole."""
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

    def _way_out(self) -> str:
        splits = self.splits
        if splits.split == "tail":
            return ""
        sizes = f"{splits.num_streams} streams of {splits.stream_unit} characters or more"
        return f": --split streams makes {sizes}; lower --batch-size or --seq-len"

    def split(self, name: SplitName) -> Split:
        """One split, disjoint from the others."""
        place = ("train", "validation", "test").index(name)
        if self.splits.split == "streams":
            unit = self.splits.stream_unit
            assert unit is not None
            start, stop = self._bounds(self._streams.steps // unit, place)
            return self._streams.part(start * unit, stop * unit)
        if self.splits.records is not None:
            return self._records.part(*self._bounds(len(self._records.starts), place))
        start, stop = self._bounds(len(self.ids), place)
        return self.ids[start:stop]

    def checked_split(self, name: SplitName) -> Split:
        """The same, read once to see that every id is the vocabulary's; raises CorpusError."""
        split = self.split(name)
        ids = split.ids if isinstance(split, Records | Streams) else split
        for start in range(0, len(ids), _CHECKED):
            check_ids(ids[start : start + _CHECKED], len(self.vocabulary))
        return split

    def _bounds(self, total: int, place: int) -> tuple[int, int]:
        counts = self.splits.counts(total)
        start = sum(counts[:place])
        return start, start + counts[place]
