"""A text as ids, with its splits: the beginning to train on, the end to judge by."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from charrnn.errors import CorpusError, UsageError
from charrnn.vocabulary import Ids, Vocabulary

SplitName = Literal["train", "validation", "test"]

MIN_SPLIT = 2
"""The fewest characters a split can be judged on: one to read and one to predict."""


@dataclass(frozen=True)
class SplitConfig:
    """How much of the text's end is held back. Splits are contiguous: train, validation, test."""

    val_frac: float = 0.1
    """Fraction of the characters for validation."""
    test_frac: float = 0.0
    """Fraction of the characters for the test split, the very end of the text."""

    def __post_init__(self) -> None:
        for option, value in (("val-frac", self.val_frac), ("test-frac", self.test_frac)):
            if not 0.0 <= value < 1.0:
                raise UsageError(f"--{option} {value:g}: must be at least 0 and below 1")
        if self.val_frac == 0.0:
            raise UsageError(
                "--val-frac 0: the best model is chosen by validation; give it some text"
            )
        if self.val_frac + self.test_frac >= 1.0:
            total = self.val_frac + self.test_frac
            raise UsageError(
                f"--val-frac and --test-frac add up to {total:g}: leave text to train on"
            )


@dataclass(frozen=True, eq=False)
class EncodedCorpus:
    """A whole text as ids, and where its splits begin."""

    name: str
    vocabulary: Vocabulary
    ids: Ids
    """(N,) every character of the text, in order."""
    sha256: str
    """Of the text as UTF-8, or of the bytes as they are."""
    splits: SplitConfig

    @classmethod
    def from_text(cls, text: str | bytes, name: str, splits: SplitConfig) -> "EncodedCorpus":
        """Encode `text`; raise CorpusError if it is too short or is all one character."""
        vocabulary = Vocabulary.from_text(text)
        if len(vocabulary) < 2:
            raise CorpusError(
                f"{name} has a single distinct character, {vocabulary.characters!r}: "
                "there is nothing to learn"
            )
        data = text if isinstance(text, bytes) else text.encode()
        digest = hashlib.sha256(data).hexdigest()
        corpus = cls(name, vocabulary, vocabulary.encode(text), digest, splits)
        for split in ("train", "validation"):
            if len(corpus.split(split)) < MIN_SPLIT:
                raise CorpusError(
                    f"{name} is too short: of its {len(text)} characters, "
                    f"{len(corpus.split(split))} are left for {split}, and {MIN_SPLIT} are needed"
                )
        return corpus

    def split(self, name: SplitName) -> Ids:
        """The ids of one split: contiguous, and disjoint from the others."""
        total = len(self.ids)
        test = round(total * self.splits.test_frac)
        validation = round(total * self.splits.val_frac)
        train = total - validation - test
        start, stop = {
            "train": (0, train),
            "validation": (train, train + validation),
            "test": (train + validation, total),
        }[name]
        return self.ids[start:stop]
