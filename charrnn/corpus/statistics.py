"""What a text is made of, and how far a compressor gets: the mark for a model to beat."""

import bz2
import lzma
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.ids_file import EncodedText, check_ids
from charrnn.corpus.progress import Meter, Report
from charrnn.corpus.vocabulary import Ids

ORDERS = 4
SAMPLE = 1 << 22
"""Entropies and compressors look at no more symbols than this, the text's first."""
BLOCK = 1 << 20
"""Symbols that are counted at a time."""


@dataclass(frozen=True)
class Statistics:
    """Figures of one text."""

    num_symbols: int
    """Characters; bytes in byte mode."""
    num_bytes: int
    """As UTF-8; in byte mode the same."""
    vocab_size: int
    """Distinct symbols."""
    sha256: str
    entropies: tuple[float, ...]
    """Bits per symbol given the 0, 1, 2, 3 symbols before it, counted over the sample itself."""
    compressed: dict[str, float]
    """Bits per symbol that each compressor needs."""
    sample_size: int
    """Symbols that entropies and compressors looked at."""


def describe(text: EncodedText, report: Report) -> Statistics:
    """Measure `text`, block by block."""
    sample = text.ids[:SAMPLE]
    return Statistics(
        num_symbols=len(text.ids),
        num_bytes=_count_bytes(text, report),
        vocab_size=len(text.vocabulary),
        sha256=text.sha256,
        entropies=_entropies(sample, len(text.vocabulary)),
        compressed=_compressed(text, sample, report),
        sample_size=len(sample),
    )


def _count_bytes(text: EncodedText, report: Report) -> int:
    if text.vocabulary.is_bytes:
        return len(text.ids)
    size = len(text.vocabulary)
    meter = Meter("counting", text.ids.nbytes, report)
    counts = np.zeros(size, np.int64)
    for start in range(0, len(text.ids), BLOCK):
        block = text.ids[start : start + BLOCK]
        check_ids(block, size)
        counts += np.bincount(block, minlength=size)
        meter.advance(block.nbytes)
    meter.finish()
    widths = np.array([len(c.encode("utf-8")) for c in text.vocabulary.characters])
    return int(counts @ widths)


def _entropies(ids: Ids, vocab_size: int) -> tuple[float, ...]:
    """-sum p(context, symbol) log2 p(symbol | context), for contexts of 0, 1, 2, 3 symbols."""
    found = []
    context = np.zeros(len(ids), np.int64)  # by place: the number of the context before it
    for order in range(min(ORDERS, len(ids))):
        symbols = ids[order:].astype(np.int64)
        _, joint, counts = np.unique(
            context * vocab_size + symbols, return_inverse=True, return_counts=True
        )
        found.append((_plogp(np.bincount(context)) - _plogp(counts)) / len(symbols))
        context = joint[:-1]
    return tuple(found)


def _plogp(counts: NDArray[np.int64]) -> float:
    seen = counts[counts > 0].astype(np.float64)
    return float(seen @ np.log2(seen))


def _compressed(text: EncodedText, sample: Ids, report: Report) -> dict[str, float]:
    codes = np.frombuffer(text.vocabulary.characters.encode("utf-32-le", "surrogatepass"), "<u4")
    compressors: dict[str, bz2.BZ2Compressor | lzma.LZMACompressor] = {
        "bz2": bz2.BZ2Compressor(9),
        "xz": lzma.LZMACompressor(preset=6),
    }
    written = dict.fromkeys(compressors, 0)
    meter = Meter("compressing", len(sample), report)
    encoding = "latin-1" if text.vocabulary.is_bytes else "utf-8"
    for start in range(0, len(sample), BLOCK):
        block = sample[start : start + BLOCK]
        check_ids(block, len(codes))
        data = codes[block].tobytes().decode("utf-32-le").encode(encoding)
        for name, compressor in compressors.items():
            written[name] += len(compressor.compress(data))
        meter.advance(len(block))
    meter.finish()
    for name, compressor in compressors.items():
        written[name] += len(compressor.flush())
    return {name: 8 * size / len(sample) for name, size in written.items()}
