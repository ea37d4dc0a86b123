"""The part of a training text that is counted, as one row of symbols with their folds.

A text of more than MOST_COUNTED symbols is counted in BLOCKS evenly spaced parts of that sum, so
that counting takes a bounded time and memory.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.pieces import Pieces
from charrnn.corpus.split import Split
from charrnn.corpus.windows import fold_of

BREAK = 0
"""What stands in the row where contexts end: before each piece of text."""
NOT_COUNTED = 255
"""The fold of a symbol that is only read, and never counted as what follows others."""
MOST_COUNTED = 1 << 26
"""Symbols of a text that are counted at most."""
BLOCKS = 64
"""Number of parts in which a longer text is counted."""


@dataclass(frozen=True, eq=False)
class CountedText:
    """What is counted: symbols, each of a fold."""

    vocab_size: int
    """V."""
    symbols: NDArray[np.uint16]
    """(N,) each symbol's id + 1, or BREAK."""
    folds: NDArray[np.uint8]
    """(N,) the fold of each symbol, or NOT_COUNTED."""
    num_counted: int
    """How many symbols of the text are counted."""

    @classmethod
    def of(cls, split: Split, vocab_size: int, most: int = MOST_COUNTED) -> "CountedText":
        """What is counted of a training split: about `most` symbols, or all if it has no more."""
        pieces = split.pieces()
        lengths = pieces.lengths
        before = np.cumsum(lengths) - lengths  # (P,) symbols of the split before each piece
        total = int(lengths.sum())
        row = 1 + (pieces.lead is not None)  # what stands before each piece
        parts = list(_parts(pieces, before, total, most))
        size = sum(stop - start + row for _, start, stop in parts)
        symbols = np.zeros(size, np.uint16)
        folds = np.full(size, NOT_COUNTED, np.uint8)
        at = 0
        for piece, start, stop in parts:
            if pieces.lead is not None:
                symbols[at + 1] = pieces.lead + 1
            at += row
            first = int(pieces.starts[piece])
            symbols[at : at + stop - start] = pieces.ids[first + start : first + stop]
            symbols[at : at + stop - start] += 1
            if pieces.lead is None:
                for block in range(start, stop, 1 << 22):
                    end = min(block + (1 << 22), stop)
                    numbers = np.arange(block, end) + before[piece]
                    folds[at + block - start : at + end - start] = fold_of(numbers, total)
            else:
                folds[at : at + stop - start] = fold_of(np.array(piece), len(lengths))
            at += stop - start
        return cls(vocab_size, symbols, folds, size - row * len(parts))


def _parts(
    pieces: Pieces, before: NDArray[np.int64], total: int, most: int
) -> "list[tuple[int, int, int]]":
    """(piece, start, stop) of all that is counted: parts of pieces, counted from their beginning.

    Of records, which have a lead, none is counted in part.
    """
    if total <= most:
        return [(piece, 0, int(length)) for piece, length in enumerate(pieces.lengths)]
    parts = []
    for block in range(BLOCKS):
        first, last = block * total // BLOCKS, block * total // BLOCKS + most // BLOCKS
        piece = int(np.searchsorted(before, first, side="right")) - 1
        while piece < len(before) and before[piece] < last:
            length = int(pieces.lengths[piece])
            start = max(0, first - int(before[piece]))
            stop = min(length, last - int(before[piece]))
            if pieces.lead is None or (start == 0 and stop == length):
                parts.append((piece, start, stop))
            piece += 1
    return parts
