"""Sampled texts on their way out: one after the other, or one JSON object per line."""

import json
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from charrnn.corpus.vocabulary import Ids, Vocabulary
    from charrnn.sampling.texts import Texts


class Sink(Protocol):
    """Where bytes go: stdout or a file."""

    def write(self, data: bytes, /) -> Any:
        """Take all of `data`."""


def print_texts(
    texts: "Texts", vocabulary: "Vocabulary", prime: bytes, separator: bytes, to: Sink
) -> None:
    """The first text is shown while all are written; the others follow."""
    to.write(prime)
    rest: list[list[Ids]] = []
    for shown in texts:
        to.write(vocabulary.decode_bytes(shown[0]))
        if len(shown) > 1:
            rest.append(shown[1:])
    for text in zip(*rest, strict=True):
        to.write(separator + prime)
        for ids in text:
            to.write(vocabulary.decode_bytes(ids))


def print_json(texts: "Texts", vocabulary: "Vocabulary", prime: bytes, seed: int, to: Sink) -> None:
    """An object for each text, when all are written."""
    for _ in texts:
        pass
    each = zip(texts.whole(), texts.bits_per_char(), texts.reasons(), strict=True)
    for ids, bits, reason in each:
        entry = {
            "text": (prime + vocabulary.decode_bytes(ids)).decode(errors="replace"),
            "seed": seed,
            "bits_per_char": None if bits is None else round(bits, 4),
            "ended": reason,
        }
        to.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
