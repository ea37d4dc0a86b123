"""The part of a training text that is counted, as one row of symbols with their folds.

A text of more than MOST_COUNTED symbols is counted in BLOCKS evenly spaced parts of that sum, so
that counting takes a bounded time and memory.
"""

from dataclasses import dataclass
from typing import NamedTuple

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

_AT_A_TIME = 1 << 18
"""How many symbols of the row are written at a time."""


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
        total = int(pieces.lengths.sum())
        before = np.cumsum(pieces.lengths) - pieces.lengths  # (P,) symbols before each piece
        parts = _parts(pieces, before, most)
        front = 1 if pieces.lead is None else 2  # what precedes each part in the row
        ends = np.cumsum(front + parts.lengths)  # (Q,) of each part in the row
        firsts = ends - parts.lengths  # (Q,)
        sources = pieces.starts[parts.pieces] + parts.starts  # (Q,) of each part in the ids
        numbers = before[parts.pieces] + parts.starts  # (Q,) of each part in the split
        size = int(front * len(ends) + parts.lengths.sum())
        symbols = np.empty(size, np.uint16)
        folds = np.empty(size, np.uint8)
        for start in range(0, size, _AT_A_TIME):
            stop = min(start + _AT_A_TIME, size)
            first, last = np.searchsorted(ends, [start, stop - 1], side="right")
            touched = slice(first, last + 1)  # the parts that lie here
            counts = np.diff(ends[first:last], prepend=start, append=stop)
            row = np.arange(start, stop)
            places = row + np.repeat((sources - firsts)[touched], counts)
            symbols[start:stop] = np.take(pieces.ids, places, mode="clip")
            if pieces.lead is None:
                in_split = row + np.repeat((numbers - firsts)[touched], counts)
                folds[start:stop] = fold_of(in_split, total)
            else:
                own = fold_of(parts.pieces[touched], len(pieces.starts))
                folds[start:stop] = np.repeat(own, counts)
        symbols += 1
        for place in range(1, front + 1):
            symbols[firsts - place] = BREAK
            folds[firsts - place] = NOT_COUNTED
        if pieces.lead is not None:
            symbols[firsts - 1] = pieces.lead + 1
        return cls(vocab_size, symbols, folds, size - front * len(ends))


class _Parts(NamedTuple):
    """Stretches of pieces, as three equally long arrays."""

    pieces: NDArray[np.int64]
    """(Q,) of which piece each is."""
    starts: NDArray[np.int64]
    """(Q,) how many symbols of the piece precede it."""
    lengths: NDArray[np.int64]
    """(Q,) how many symbols it has."""


def _parts(pieces: Pieces, before: NDArray[np.int64], most: int) -> _Parts:
    """All that is counted of `pieces`, before each of which `before` (P,) symbols stand.

    Of records, which have a lead, none is counted in part.
    """
    lengths = pieces.lengths
    total = int(lengths.sum())
    if total <= most:
        some = np.flatnonzero(lengths)
        return _Parts(some, np.zeros_like(some), lengths[some])
    blocks = []
    for block in range(BLOCKS):
        first = block * total // BLOCKS
        last = first + most // BLOCKS
        touched = slice(
            np.searchsorted(before, first, side="right") - 1, np.searchsorted(before, last)
        )
        starts = np.maximum(first - before[touched], 0)
        stops = np.minimum(last - before[touched], lengths[touched])
        numbers = np.arange(len(lengths))[touched]
        taken = stops > starts
        if pieces.lead is not None:
            taken &= stops - starts == lengths[touched]
        blocks.append(_Parts(numbers[taken], starts[taken], (stops - starts)[taken]))
    return _Parts(*(np.concatenate(arrays) for arrays in zip(*blocks, strict=True)))
