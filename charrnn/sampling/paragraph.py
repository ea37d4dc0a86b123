"""Where a paragraph ends, for a person who reads along and wants to answer."""

from collections.abc import Iterable, Iterator

from charrnn.corpus.vocabulary import Ids, Vocabulary

USUAL = 300
"""Symbols after which a paragraph that has not ended is left behind the next space."""
LONGEST = 400
"""Symbols after which a paragraph without a space is left, too."""


def first_paragraph(
    pieces: Iterable[Ids], vocabulary: Vocabulary, record_end: int | None = None
) -> Iterator[Ids]:
    """The pieces of a text, each of ids (n,), up to the end of its first paragraph.

    A paragraph ends behind an empty line that follows something visible, or behind the first space
    after USUAL symbols. Where `record_end` ends a record, the text ends there as well.
    """
    spaces = set(vocabulary.encode(" \t\r\n", unknown="skip").tolist())
    newline = set(vocabulary.encode("\n", unknown="skip").tolist())
    count = 0
    has_begun = False  # whether anything visible has come
    line_is_empty = False  # a line that goes on after what was read before is not
    for piece in pieces:
        for end, symbol in enumerate(piece.tolist(), start=1):
            count += 1
            ends_paragraph = has_begun and line_is_empty and symbol in newline
            if symbol == record_end or ends_paragraph or (count > USUAL and symbol in spaces):
                yield piece[:end]
                return
            has_begun |= symbol not in spaces
            line_is_empty = symbol in newline or (line_is_empty and symbol in spaces)
        yield piece
