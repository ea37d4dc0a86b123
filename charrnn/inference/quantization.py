"""Weights kept in fewer bits, in numpy: the same numbers, to the last bit, as the native sampler's.

bf16: every matrix is rounded to bfloat16; everything else is float32.

int8: every row of a matrix is divided by its own scale and rounded to whole numbers from -127 to
127. The output h of a layer lies within (-1, 1); it is multiplied by 127 and rounded likewise.
(Where a cell's h may be larger, it is first divided by the largest of its numbers.) The products of
whole numbers are summed exactly, and only the sum is multiplied by the scale. The cells use
`squash` for tanh. It is made of additions, multiplications and one division, so that every machine
gets the same result.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LARGEST = 127
"""The largest whole number that an int8 weight or output is rounded to."""
EXACT_IN_FLOAT32 = 2**24
"""Whole numbers up to this one are exact in float32, and so are sums that stay below it."""


def to_bf16(array: Array) -> Array:
    """The nearest bfloat16 of each number in an array of any shape, ties to even, as float32."""
    bits = np.ascontiguousarray(array).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


class Int8Matrix:
    """An int8 matrix (rows, columns) that is used as a float32 one would be: `h @ matrix.T`."""

    __array_ufunc__ = None  # numpy leaves the product to __rmatmul__

    def __init__(self, matrix: Array) -> None:
        largest = np.abs(matrix).max(axis=1)  # (rows,)
        inverse = np.divide(LARGEST, largest, out=np.zeros_like(largest), where=largest > 0)
        self.scales = largest / np.float32(LARGEST**2)  # (rows,)
        """(rows,) what each sum of whole numbers is multiplied by."""
        rounded = np.rint(matrix * inverse[:, None])  # (rows, columns)
        exact = matrix.shape[1] * LARGEST**2 <= EXACT_IN_FLOAT32
        self._rounded = rounded.T.astype(np.float32 if exact else np.float64)  # (columns, rows)

    @property
    def T(self) -> "Int8Matrix":  # noqa: N802
        """The matrix itself: it is only ever multiplied from the left, as its transpose."""
        return self

    def __rmatmul__(self, h: Array) -> Array:
        """Return h (B, columns) times the transposed matrix: (B, rows)."""
        size = np.maximum(1, np.abs(h).max(axis=1, keepdims=True))  # (B, 1), 1 where |h| < 1
        rounded = np.rint(h / size * np.float32(LARGEST)).astype(self._rounded.dtype)
        return np.asarray((rounded @ self._rounded).astype(np.float32) * self.scales * size)


_POLYNOMIAL = np.array(
    [1.53533621e-4, 1.33988746e-3, 9.61843736e-3, 5.55033247e-2, 2.40226479e-1, 6.93147203e-1],
    np.float32,
)
"""Coefficients of (2^f - 1) / f for f within [-1/2, 1/2], the highest power first."""
_MAGIC = np.float32(12582912.0)
"""1.5 * 2**23: a float32 that it is added to is left rounded, in the low bits of the sum."""


def squash(x: Any) -> Any:
    """Return tanh(x) for x of any shape, in float32, to about 1e-7, as (e^2x - 1) / (e^2x + 1)."""
    t = np.clip(x * np.float32(2.88539008), np.float32(-60), np.float32(60))  # 2^t = e^2x
    shifted = t + _MAGIC
    f = t - (shifted - _MAGIC)  # what is left of t by its nearest whole number
    q = _POLYNOMIAL[0]  # becomes (2^f - 1) / f
    for coefficient in _POLYNOMIAL[1:]:
        q = q * f + coefficient
    scale = ((shifted.view(np.uint32) << np.uint32(23)) + np.uint32(0x3F800000)).view(np.float32)
    m = scale * (q * f) + (scale - np.float32(1))  # e^2x - 1
    return m / (m + np.float32(2))
