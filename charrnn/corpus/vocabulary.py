"""The vocabulary of a text: between its symbols, their ids, and one-hot vectors.

A symbol is a character (a Unicode code point) or, in byte mode, one of 256 byte values. The V
symbols that occur have the ids 0 to V - 1 in the order of their code points, so that the same text
always gives the same ids.

One id, `unknown_id`, stands for every symbol that is not in the vocabulary. It is V, one past the
last: its one-hot vector is all zeros, so the model is told nothing, and the model has no output for
it, so it is never sampled. Where rare characters were folded into U+FFFD (--min-count), it is the
id of that symbol, from which the model has learned what a rare character means.
"""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from charrnn.errors import VocabularyError

Ids: TypeAlias = NDArray[Any]
"""(N,) the ids of a text of N symbols, in the smallest unsigned integer type that holds them."""
Unknown = Literal["error", "skip", "replace"]
"""What to do with a symbol that is not in the vocabulary: refuse it with an error, leave it out, or
replace it by `unknown_id`."""

CODE_POINTS = 0x110000
"""How many code points Unicode has."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""U+FFFD, the symbol that stands for what is rare or cannot be decoded."""


class Vocabulary:
    """The V symbols that a model knows.

    `characters` holds each of them once, sorted by code point. In byte mode (`is_bytes`) the code
    points are byte values, so that every character lies below U+0100.
    """

    def __init__(self, characters: str, *, is_bytes: bool = False) -> None:
        """Raises VocabularyError unless `characters` are sorted, distinct, and fit the mode."""
        codes = _code_points(characters)
        if len(codes) == 0:
            raise VocabularyError("a vocabulary needs at least one symbol, got none")
        if np.any(np.diff(codes.astype(np.int64)) <= 0):
            raise VocabularyError("vocabulary characters must be sorted and distinct")
        if is_bytes and codes[-1] > 0xFF:
            raise VocabularyError(f"{characters[-1]!r} is not a byte value (0 to 255)")
        self.characters = characters
        self.is_bytes = is_bytes
        self._codes = codes  # (V,) the code point of each id
        self._ids = np.full(int(codes[-1]) + 1, len(codes), dtype=_smallest_type(len(codes)))
        self._ids[codes] = np.arange(len(codes))  # by code point; V where it is not a symbol

    @classmethod
    def from_text(cls, text: str | bytes) -> "Vocabulary":
        """The vocabulary of every symbol in `text`, in byte mode if `text` is bytes."""
        counts = np.bincount(_code_points(text), minlength=1)
        codes = np.flatnonzero(counts).astype("<u4")
        characters = codes.tobytes().decode("utf-32-le", "surrogatepass")
        return cls(characters, is_bytes=isinstance(text, bytes))

    def __len__(self) -> int:
        return len(self._codes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return (self.characters, self.is_bytes) == (other.characters, other.is_bytes)

    def __hash__(self) -> int:
        return hash((self.characters, self.is_bytes))

    def __repr__(self) -> str:
        return f"Vocabulary({self.characters!r}, is_bytes={self.is_bytes})"

    @property
    def unknown_id(self) -> int:
        """The id of every symbol that is not in the vocabulary.

        It is the id of U+FFFD if that is in the vocabulary, because rare characters were folded
        into it; else it is V, one past the last id.
        """
        replacement_id = self.characters.find(REPLACEMENT)
        return len(self) if replacement_id < 0 else replacement_id

    def start(self) -> Ids:
        """Ids (1,) that a model reads before the first symbol of a text: a newline, or `unknown_id`
        if newline is not in the vocabulary.
        """
        return self.encode("\n", unknown="replace")

    def encode(self, text: str | bytes, unknown: Unknown = "error") -> Ids:
        """Return the ids (N,) of the N symbols of `text`, in the smallest type that holds them.

        In byte mode a str is encoded as UTF-8 first. A symbol that is not in the vocabulary raises
        VocabularyError, or is left out ("skip"), or becomes `unknown_id` ("replace"). Bytes raise
        VocabularyError unless in byte mode.
        """
        if self.is_bytes and isinstance(text, str):
            text = text.encode()
        elif not self.is_bytes and isinstance(text, bytes):
            raise VocabularyError("this vocabulary is made of characters; decode the bytes first")
        codes = _code_points(text)
        no_id = len(self)
        ids: Ids = self._ids[np.minimum(codes, len(self._ids) - 1)]
        ids[codes >= len(self._ids)] = no_id
        known = ids != no_id
        if unknown == "replace":
            ids[~known] = self.unknown_id
            return ids
        if unknown == "skip":
            return np.asarray(ids[known])
        if not known.all():
            raise VocabularyError(self._unknown_message(text, int(np.argmin(known))))
        return ids

    def _unknown_message(self, text: str | bytes, position: int) -> str:
        """What to tell the user about the symbol at `position`, which the vocabulary lacks."""
        symbol = text[position]
        shown = f"character {symbol!r}" if isinstance(symbol, str) else f"byte 0x{symbol:02x}"
        unit = "bytes" if self.is_bytes else "characters"
        return (
            f"no {shown} in this model's vocabulary ({len(self)} {unit}); "
            "`unknown` skip|replace lets it pass"
        )

    def decode(self, ids: Iterable[int] | Ids) -> str:
        """Return the text of ids (N,); bytes of byte mode that are not UTF-8 become U+FFFD."""
        if self.is_bytes:
            return self.decode_bytes(ids).decode("utf-8", "replace")
        return self._codes_of(ids, REPLACEMENT).astype("<u4").tobytes().decode("utf-32-le")

    def decode_bytes(self, ids: Iterable[int] | Ids) -> bytes:
        """Return the text of ids (N,) as UTF-8, or its very bytes in byte mode."""
        if self.is_bytes:
            return self._codes_of(ids, "?").astype(np.uint8).tobytes()
        return self.decode(ids).encode()

    def _codes_of(self, ids: Iterable[int] | Ids, unknown: str) -> NDArray[Any]:
        """The code points (N,) of ids (N,); that of `unknown` where an id is V or above."""
        array = ids if isinstance(ids, np.ndarray) else np.fromiter(ids, np.int64)
        places = np.minimum(array.astype(np.int64, copy=False), len(self))  # (N,)
        return np.append(self._codes, ord(unknown))[places]

    def one_hot(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return the one-hot vectors (..., V) of ids (...); those of id V are all zeros."""
        rows = np.vstack(
            [np.eye(len(self), dtype=np.float32), np.zeros((1, len(self)), np.float32)]
        )
        return np.asarray(rows[np.asarray(ids)])


def _code_points(text: str | bytes) -> NDArray[np.unsignedinteger[Any]]:
    """The code points (N,) of a text of N characters, or the values of N bytes."""
    if isinstance(text, bytes):
        return np.frombuffer(text, dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _smallest_type(largest: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest unsigned integer type that holds ids up to and including `largest`."""
    return np.min_scalar_type(largest)
