"""Writing sampled texts to stdout or a file: one after the other, or as lines of JSON."""

import json
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from charrnn.corpus.vocabulary import Ids, Vocabulary
    from charrnn.sampling.texts import Texts


class Sink(Protocol):
    """Something that takes bytes: stdout or a file."""

    def write(self, data: bytes, /) -> Any:
        """Take all of `data`."""


def print_texts(
    texts: "Texts", vocabulary: "Vocabulary", prime: bytes, separator: bytes, sink: Sink
) -> None:
    """Write the texts one after the other, each behind the prime, with the separator between two.

    All texts grow at the same time. The first one is written as it grows, the others when all of
    them are complete.
    """
    sink.write(prime)
    later_blocks: list[list[Ids]] = []  # new characters of every text but the first, per block
    for block in texts:
        sink.write(vocabulary.decode_bytes(block[0]))
        if len(block) > 1:
            later_blocks.append(block[1:])
    for text_blocks in zip(*later_blocks, strict=True):
        sink.write(separator + prime)
        for ids in text_blocks:
            sink.write(vocabulary.decode_bytes(ids))


def print_json(
    texts: "Texts", vocabulary: "Vocabulary", prime: bytes, seed: int, sink: Sink
) -> None:
    """Write a line with a JSON object for each text, when all texts are complete."""
    for _ in texts:
        pass
    results = zip(texts.whole(), texts.bits_per_char(), texts.reasons(), strict=True)
    for ids, bits_per_char, reason in results:
        entry = {
            "text": (prime + vocabulary.decode_bytes(ids)).decode(errors="replace"),
            "seed": seed,
            "bits_per_char": None if bits_per_char is None else round(bits_per_char, 4),
            "ended": reason,
        }
        sink.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
