"""The number types in which a model's weights are multiplied, in training and in sampling."""

from typing import Literal, get_args

Precision = Literal["fp32", "bf16"]
"""Number type of the matrix products in training; weights, gradients, carried states and sums are
always float32."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

SamplingPrecision = Literal["fp32", "bf16", "int8"]
"""Number type of the weights in sampling: bf16 rounds them; int8 rounds the hidden units too, and
sums their products exactly."""
SAMPLING_PRECISIONS: tuple[SamplingPrecision, ...] = get_args(SamplingPrecision)
"""Every sampling precision, the exact one first, the fastest last."""

PrecisionChoice = Literal["auto", "fp32", "bf16", "int8"]
"""A sampling precision; auto is the fastest that was measured to cost the model next to nothing."""
