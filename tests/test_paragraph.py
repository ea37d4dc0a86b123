"""Where the paragraph of an answer ends, however its text comes in pieces."""

import numpy as np
import pytest

from charrnn.corpus.vocabulary import Vocabulary
from charrnn.sampling.paragraph import USUAL, first_paragraph

VOCABULARY = Vocabulary("\n .abc")
LONG = "ab" * (USUAL // 2)


def first_of(text: str, vocabulary: Vocabulary, record_end: int | None = None) -> set[str]:
    """The first paragraph of `text`, which comes in pieces of several sizes."""
    ids = vocabulary.encode(text)
    found = set()
    for size in (1, 2, 7, len(text)):
        pieces = (ids[start : start + size] for start in range(0, len(text), size))
        shown = [np.empty(0, np.int32), *first_paragraph(pieces, vocabulary, record_end)]
        found.add(vocabulary.decode(np.concatenate(shown)))
    return found


@pytest.mark.parametrize(
    ("text", "paragraph"),
    [
        ("a b\nc.\n\nb", "a b\nc.\n\n"),
        ("a\n  \nb", "a\n  \n"),
        ("\n\na\nb\n\nc", "\n\na\nb\n\n"),  # empty lines before it are not its end
        ("a\n b\n", "a\n b\n"),
        (f"{LONG}aa b c", f"{LONG}aa "),
        (f"{LONG} b c", f"{LONG} "),
        (f"{LONG[1:]} b c", f"{LONG[1:]} b "),
        (f"{LONG}{LONG}", f"{LONG}{LONG}"),
    ],
)
def test_a_paragraph_ends_at_an_empty_line_or_behind_a_word(text: str, paragraph: str) -> None:
    assert first_of(text, VOCABULARY) == {paragraph}


def test_a_record_is_a_paragraph() -> None:
    newline = int(VOCABULARY.start()[0])
    assert first_of("ab c\na\n", VOCABULARY, newline) == {"ab c\n"}
    assert first_of("\na\n", VOCABULARY, newline) == {"\n"}


def test_a_text_without_spaces_has_an_end_all_the_same() -> None:
    assert first_of("abc" * 100, Vocabulary("abc")) == {"abc" * 100}
