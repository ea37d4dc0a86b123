"""Counts in one byte, and the buckets that contexts are sorted into.

A code is exact for counts up to 8. Above, there are four codes to an octave: code 8 + j stands for
all counts that are nearest to 8 * 2^(j/4) on a logarithmic scale. No count of less than 2^32 needs
a code above 127.

A bucket says how often a context was seen and in how many ways it went on: what a count of a symbol
is worth depends on both.
"""

import math

import numpy as np
from numpy.typing import NDArray

from charrnn.experts.rule import KINDS, LEVELS

EXACT = 8
"""The largest count that is its own code."""
CODES = 128
"""How many codes there are: 0 to 127."""
_STEPS = range(1, CODES - EXACT)
COUNT_OF_CODE: NDArray[np.int64] = np.array(
    [*range(EXACT + 1), *(round(EXACT * 2 ** (step / 4)) for step in _STEPS)]
)
"""(CODES,) the count that each code stands for."""
LEAST_OF_CODE: NDArray[np.int64] = np.array(
    [*range(EXACT + 1), *(math.ceil(EXACT * 2 ** ((step - 0.5) / 4)) for step in _STEPS)]
)
"""(CODES,) the smallest count that has each code."""
LEVEL_OF_CODE: NDArray[np.uint8] = np.array(
    [min(LEVELS - 1, int(count).bit_length()) for count in COUNT_OF_CODE], np.uint8
)
"""(CODES,) the level ceil(log2(N + 1)), at most 7, of a context whose count N has this code."""


def code_of(counts: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The code of each count, from 0 up; counts that no code is for have the last one."""
    return (np.searchsorted(LEAST_OF_CODE, counts, side="right") - 1).astype(np.uint8)


def bucket_of(codes: NDArray[np.uint8], kinds: NDArray[np.integer]) -> NDArray[np.int64]:
    """The bucket of contexts whose counts have `codes` and which `kinds` symbols followed."""
    classes = np.searchsorted([1, 2, 4], kinds)  # up to 1, up to 2, up to 4, more
    return LEVEL_OF_CODE[codes].astype(np.int64) * KINDS + classes
