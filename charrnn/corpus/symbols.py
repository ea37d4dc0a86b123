"""Which symbols a text has, and the text as their ids: the arithmetic of both passes over it."""

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.text import Chunk
from charrnn.corpus.vocabulary import REPLACEMENT, Ids, Vocabulary

_BYTES = 256


class SymbolCounts:
    """How often each symbol occurs; or, where that is not needed and faster, only whether."""

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._counts = np.zeros(_BYTES, np.int64)
        self._known_bytes = b""
        self._is_new = np.ones(1, np.bool_)  # by code; the last entry stands for all above it
        self.total = 0
        """Symbols counted so far."""

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
        if len(codes) == 0:
            return
        found = np.bincount(codes)
        if len(found) > len(self._counts):
            self._counts.resize(len(found), refcheck=False)
        self._counts[: len(found)] += found
        if not self._exact:
            self._is_new = np.append(self._counts == 0, True)
            self._known_bytes = np.flatnonzero(self._counts[:_BYTES]).astype(np.uint8).tobytes()

    def vocabulary(self, *, is_bytes: bool, min_count: int) -> Vocabulary:
        """Every symbol that occurs at least `min_count` times, and U+FFFD if any occurs less."""
        known = self._counts >= max(1, min_count)
        codes = np.flatnonzero(known).astype("<u4")
        if np.any(~known & (self._counts > 0)):
            codes = np.union1d(codes, np.array([ord(REPLACEMENT)], "<u4"))
        characters = codes.tobytes().decode("utf-32-le", "surrogatepass")
        return Vocabulary(characters, is_bytes=is_bytes)


class Encoder:
    """Turns chunks into ids of a vocabulary; a symbol that it lacks becomes U+FFFD's."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        codes = _codes(vocabulary.characters)
        unknown = max(0, vocabulary.characters.find(REPLACEMENT))
        self.dtype = ids_type(len(vocabulary))
        self._table = np.full(max(_BYTES, int(codes[-1]) + 2), unknown, self.dtype)
        self._table[codes] = np.arange(len(codes))
        self._of_byte = self._table[:_BYTES].tobytes() if self.dtype == np.uint8 else None

    def encode(self, chunk: Chunk) -> Ids:
        """The ids of `chunk`, in the smallest type that holds all of the vocabulary's."""
        data, text = chunk
        if text is not None:
            # Clipped codes fall on the table's last entry, which belongs to no known symbol.
            return self._table.take(_codes(text), mode="clip")
        if self._of_byte is not None:
            return np.frombuffer(data.translate(self._of_byte), np.uint8)
        return self._table.take(np.frombuffer(data, np.uint8))


def ids_type(size: int) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned integer type for ids below `size`."""
    return np.min_scalar_type(size - 1)


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
