"""Weights kept in fewer bits, in numpy: the same numbers, to the last bit, as the native sampler's.

bf16: weights are rounded to bfloat16; everything else is float32.

int8: each row of a matrix is divided by its scale and rounded to -127 ... 127, and so is h, which
lies within (-1, 1), times 127. (Where a cell's h does not, it is divided by its largest number
first.) Their products are summed exactly, as integers; only then is the sum multiplied by the
scale. The cells use `squash` for tanh, which is made of additions, multiplications and one
division, so that every machine gets the same result.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LARGEST = 127
EXACT_IN_FLOAT32 = 2**24
"""Integers up to here, and sums of them, are exact in float32."""


def to_bf16(array: Array) -> Array:
    """The nearest bfloat16 of each number, ties to even, as float32."""
    bits = np.ascontiguousarray(array).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


class Int8Matrix:
    """A matrix (rows, columns) that stands where a float32 one would: `h @ matrix.T`."""

    __array_ufunc__ = None  # numpy leaves the product to __rmatmul__

    def __init__(self, matrix: Array) -> None:
        largest = np.abs(matrix).max(axis=1)  # (rows,)
        inverse = np.divide(LARGEST, largest, out=np.zeros_like(largest), where=largest > 0)
        self.scales = largest / np.float32(LARGEST**2)
        rounded = np.rint(matrix * inverse[:, None])
        exact = matrix.shape[1] * LARGEST**2 <= EXACT_IN_FLOAT32
        self._rounded = rounded.T.astype(np.float32 if exact else np.float64)  # (columns, rows)

    @property
    def T(self) -> "Int8Matrix":  # noqa: N802
        """Itself: it is only ever multiplied from the left, transposed."""
        return self

    def __rmatmul__(self, h: Array) -> Array:
        """Return h (B, columns) times the matrix: (B, rows)."""
        size = np.maximum(1, np.abs(h).max(axis=1, keepdims=True))  # (B, 1); 1 where |h| < 1
        rounded = np.rint(h / size * np.float32(LARGEST)).astype(self._rounded.dtype)
        return np.asarray((rounded @ self._rounded).astype(np.float32) * self.scales * size)


_POLYNOMIAL = np.array(
    [1.53533621e-4, 1.33988746e-3, 9.61843736e-3, 5.55033247e-2, 2.40226479e-1, 6.93147203e-1],
    np.float32,
)
_MAGIC = np.float32(12582912.0)
"""1.5 * 2**23: adding it leaves the rounded number in the low bits."""


def squash(x: Any) -> Any:
    """Return tanh(x) to about 1e-7, as (e^2x - 1) / (e^2x + 1), in float32."""
    t = np.clip(x * np.float32(2.88539008), np.float32(-60), np.float32(60))
    shifted = t + _MAGIC
    f = t - (shifted - _MAGIC)
    q = _POLYNOMIAL[0]  # becomes (2^f - 1) / f
    for coefficient in _POLYNOMIAL[1:]:
        q = q * f + coefficient
    scale = ((shifted.view(np.uint32) << np.uint32(23)) + np.uint32(0x3F800000)).view(np.float32)
    m = scale * (q * f) + (scale - np.float32(1))
    return m / (m + np.float32(2))
