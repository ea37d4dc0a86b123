"""Which engine, at which precision. No torch here."""

from typing import Literal, get_args

EngineName = Literal["native", "torch", "reference"]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)

Precision = Literal["fp32", "bf16"]
"""Of the matrix products; weights, gradients, carried states and sums are always float32."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
