"""A text as ids, cut into training, validation and test."""

import hashlib

import pytest

from charrnn.corpus.encoded import EncodedCorpus, SplitName
from charrnn.corpus.split_config import SplitConfig
from charrnn.errors import CorpusError, UsageError


def test_splits_are_contiguous_and_disjoint() -> None:
    text = "".join(chr(ord("a") + i % 26) for i in range(207))
    corpus = EncodedCorpus.from_text(text, "abc", SplitConfig(val_frac=0.2, test_frac=0.1))
    names: tuple[SplitName, ...] = ("train", "validation", "test")
    parts = [corpus.vocabulary.decode(corpus.split(name).ids) for name in names]
    assert "".join(parts) == text
    assert [len(part) for part in parts] == [145, 41, 21]


def test_validation_is_the_last_tenth_by_default() -> None:
    corpus = EncodedCorpus.from_text("abcdefghij" * 10, "abc", SplitConfig())
    assert len(corpus.split("validation")) == 10
    assert len(corpus.split("test")) == 0


def test_the_hash_is_that_of_the_text_as_utf8() -> None:
    text = "déjà vu " * 20
    corpus = EncodedCorpus.from_text(text, "fr", SplitConfig())
    assert corpus.sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aaaaaaaaaaaaaaaaaaaaaaaaaa", "single distinct character, 'a'"),
        ("abcdef", "too short: of its 6 characters, 1 are left for validation, and 2 are needed"),
    ],
)
def test_a_text_that_cannot_be_learned_from_is_refused(text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        EncodedCorpus.from_text(text, "bad", SplitConfig())


@pytest.mark.parametrize(
    ("val_frac", "test_frac"), [(0.0, 0.0), (-0.1, 0.0), (1.0, 0.0), (0.5, 0.5), (0.1, 1.5)]
)
def test_fractions_out_of_range_are_refused(val_frac: float, test_frac: float) -> None:
    with pytest.raises(UsageError, match=r"`(val|test)_frac`"):
        SplitConfig(val_frac, test_frac)
