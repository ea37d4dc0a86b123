"""The entropies of a text, and how small compressors make it: the marks for a model to beat."""

import bz2
import lzma
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.ids_file import EncodedText, check_ids
from charrnn.corpus.marks import Marks
from charrnn.corpus.progress import Meter, Report
from charrnn.corpus.vocabulary import Ids

ORDERS = 4
"""How many entropies are measured: of a symbol given the 0, 1, 2 and 3 symbols before it."""
SAMPLE = 1 << 22
"""How many symbols, the first of the text, entropies and compressors look at."""
XZ_PRESET = 6
"""How thoroughly xz compresses, of 0 to 9; 6 is what its command does by itself."""
BLOCK = 1 << 20
"""How many symbols are counted or compressed at a time."""
MARKS_SAMPLE = 1 << 20
"""How many symbols, the first of the text, the marks of a run are measured on."""
XZ_SAMPLE = 1 << 17
"""How many of these xz compresses, which takes five times as long as bz2."""


@dataclass(frozen=True)
class Statistics:
    """What was measured of one text."""

    num_symbols: int
    """The length of the text in characters, or in bytes in byte mode."""
    num_bytes: int
    """The length of the text in bytes: of its UTF-8, or of itself in byte mode."""
    vocab_size: int
    """How many distinct symbols the text has."""
    sha256: str
    """SHA-256 of the text as UTF-8, or of the bytes as they are in byte mode, in hexadecimal."""
    entropies: tuple[float, ...]
    """The entropy of a symbol given the 0, 1, 2 and 3 symbols before it, in bits, by the counts in
    the sample itself; fewer entropies if the sample has fewer symbols than ORDERS."""
    compressed: dict[str, float]
    """How many bits per symbol each compressor needs for the sample, by the compressor's name."""
    sample_size: int
    """How many symbols, the first of the text, entropies and compressors looked at."""


def describe(text: EncodedText, report: Report) -> Statistics:
    """Measure `text`, block by block; `report` hears of the progress.

    Raises CorpusError if an id is not the vocabulary's.
    """
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


def measure_marks(text: EncodedText) -> Marks:
    """What a model of `text` should beat, measured quickly enough for the beginning of a run.

    Raises CorpusError if an id is not the vocabulary's.
    """
    sample = text.ids[:MARKS_SAMPLE]
    check_ids(sample, len(text.vocabulary))
    counts = np.bincount(sample, minlength=len(text.vocabulary))
    order0_bits = math.log2(len(sample)) - _sum_nlogn(counts) / len(sample)
    bz2_size = len(bz2.compress(text.vocabulary.decode_bytes(sample)))
    bz2_bits = 8 * bz2_size / len(sample)
    sample = sample[:XZ_SAMPLE]
    xz_size = len(lzma.compress(text.vocabulary.decode_bytes(sample), preset=XZ_PRESET))
    xz_bits = 8 * xz_size / len(sample)
    if xz_bits < bz2_bits:
        return Marks(order0_bits, xz_bits, "xz")
    return Marks(order0_bits, bz2_bits, "bz2")


def _count_bytes(text: EncodedText, report: Report) -> int:
    """The length of the text in bytes, by how often each symbol occurs and how wide it is."""
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
    widths = [len(character.encode("utf-8")) for character in text.vocabulary.characters]
    return int(counts @ np.array(widths))


def _entropies(ids: Ids, vocab_size: int) -> tuple[float, ...]:
    """Entropies of a symbol given its context, in bits, for contexts of 0, 1, 2 and 3 symbols.

    Each is -sum p(context, symbol) log2 p(symbol | context) over the pairs in ids (N,).
    """
    entropies = []
    context = np.zeros(len(ids), np.int64)  # (N,) at each place, the number of the context there
    for order in range(min(ORDERS, len(ids))):
        symbols = ids[order:].astype(np.int64)
        # `joint` (N - order,) numbers the contexts that are longer by one, each with its count.
        _, joint, counts = np.unique(
            context * vocab_size + symbols, return_inverse=True, return_counts=True
        )
        context_nlogn, joint_nlogn = _sum_nlogn(np.bincount(context)), _sum_nlogn(counts)
        entropies.append((context_nlogn - joint_nlogn) / len(symbols))
        context = joint[:-1]
    return tuple(entropies)


def _sum_nlogn(counts: NDArray[np.int64]) -> float:
    """The sum of n log2 n over all counts n > 0."""
    seen = counts[counts > 0].astype(np.float64)
    return float(seen @ np.log2(seen))


def _compressed(text: EncodedText, sample: Ids, report: Report) -> dict[str, float]:
    """How many bits per symbol each compressor needs for `sample` (N,), by its name."""
    compressors: dict[str, bz2.BZ2Compressor | lzma.LZMACompressor] = {
        "bz2": bz2.BZ2Compressor(9),
        "xz": lzma.LZMACompressor(preset=XZ_PRESET),
    }
    num_bytes = dict.fromkeys(compressors, 0)
    meter = Meter("compressing", len(sample), report)
    for start in range(0, len(sample), BLOCK):
        block = sample[start : start + BLOCK]
        check_ids(block, len(text.vocabulary))
        data = text.vocabulary.decode_bytes(block)
        for name, compressor in compressors.items():
            num_bytes[name] += len(compressor.compress(data))
        meter.advance(len(block))
    meter.finish()
    for name, compressor in compressors.items():
        num_bytes[name] += len(compressor.flush())
    return {name: 8 * size / len(sample) for name, size in num_bytes.items()}
