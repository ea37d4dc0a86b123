"""The number types in which a model's weights are multiplied, in training and in sampling."""

from typing import Literal, get_args

Precision = Literal["fp32", "bf16"]
"""Of the matrix products; weights, gradients, carried states and sums are always float32."""


PRECISIONS: tuple[Precision, ...] = get_args(Precision)


SamplingPrecision = Literal["fp32", "bf16", "int8"]
"""Of the weights in sampling. bf16 rounds them; int8 rounds h too, and sums exactly."""


SAMPLING_PRECISIONS: tuple[SamplingPrecision, ...] = get_args(SamplingPrecision)
"""The exact one first, the fastest last."""
