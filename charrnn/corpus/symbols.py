"""Counting the symbols of a text, and turning the text into their ids, one chunk at a time.

A text is read twice. The first pass counts its symbols, from which the vocabulary follows; the
second pass encodes them.
"""

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.text import Chunk
from charrnn.corpus.vocabulary import REPLACEMENT, Ids, Vocabulary

_BYTES = 256
"""How many values a byte has."""


class SymbolCounts:
    """Counts of the symbols in a text.

    Where `exact` is False, only whether a count is zero can be relied on: chunks are first rid of
    the symbols that are known to occur, which is faster.
    """

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._counts = np.zeros(_BYTES, np.int64)  # (codes,) by code point; grows with the codes
        self._known_bytes = b""  # the byte values that occur, in ascending order
        self._is_new = np.ones(1, np.bool_)  # by code point; the last entry stands for all above it
        self.total = 0
        """How many symbols were given to `add` so far."""

    def add(self, chunk: Chunk) -> None:
        """Count the symbols of `chunk`."""
        data, text = chunk
        self.total += len(data) if text is None else len(text)
        if self._exact:
            self._count(np.frombuffer(data, np.uint8) if text is None else _codes(text))
        elif text is None:
            self._count(np.frombuffer(data.translate(None, self._known_bytes), np.uint8))
        else:
            codes = _codes(text)
            self._count(codes[self._is_new.take(codes, mode="clip")])

    def _count(self, codes: NDArray[np.unsignedinteger]) -> None:
        """Add the code points `codes` (N,) to the counts."""
        if len(codes) == 0:
            return
        counts = np.bincount(codes)
        if len(counts) > len(self._counts):
            self._counts.resize(len(counts), refcheck=False)
        self._counts[: len(counts)] += counts
        if not self._exact:
            self._is_new = np.append(self._counts == 0, True)
            self._known_bytes = np.flatnonzero(self._counts[:_BYTES]).astype(np.uint8).tobytes()

    def vocabulary(self, *, is_bytes: bool, min_count: int) -> Vocabulary:
        """The vocabulary of every symbol that occurs at least `min_count` times.

        U+FFFD is in it too, to stand for the others, if there are any.
        """
        known = self._counts >= max(1, min_count)
        codes = np.flatnonzero(known).astype("<u4")
        if np.any(~known & (self._counts > 0)):
            codes = np.union1d(codes, np.array([ord(REPLACEMENT)], "<u4"))
        characters = codes.tobytes().decode("utf-32-le", "surrogatepass")
        return Vocabulary(characters, is_bytes=is_bytes)


class Encoder:
    """Turns the chunks of a text into ids.

    A symbol that the vocabulary lacks gets the id of U+FFFD, which the vocabulary then has.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        codes = _codes(vocabulary.characters)
        unknown = max(0, vocabulary.characters.find(REPLACEMENT))
        self.dtype = ids_type(len(vocabulary))
        """The smallest unsigned integer type that holds every id of the vocabulary."""
        # (codes,) the id of each code point; the last entry belongs to no symbol of the vocabulary.
        self._table = np.full(max(_BYTES, int(codes[-1]) + 2), unknown, self.dtype)
        self._table[codes] = np.arange(len(codes))
        self._byte_table = self._table[:_BYTES].tobytes() if self.dtype == np.uint8 else None

    def encode(self, chunk: Chunk) -> Ids:
        """The ids (N,) of the N symbols in `chunk`, of type `dtype`."""
        data, text = chunk
        if text is not None:
            # A code point above the table is clipped to its last entry, which says `unknown`.
            return self._table.take(_codes(text), mode="clip")
        if self._byte_table is not None:
            return np.frombuffer(data.translate(self._byte_table), np.uint8)
        return self._table.take(np.frombuffer(data, np.uint8))


def ids_type(size: int) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned integer type for ids below `size`."""
    return np.min_scalar_type(size - 1)


def _codes(text: str) -> NDArray[np.uint32]:
    """The code points (N,) of a text of N characters."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
