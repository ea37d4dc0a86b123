"""Which engine, at which precision, with how many threads. No torch here."""

import os
from typing import Literal, get_args

EngineName = Literal["native", "torch", "reference"]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)

Precision = Literal["fp32", "bf16"]
"""Of the matrix products; weights, gradients, carried states and sums are always float32."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

SamplingPrecision = Literal["fp32", "bf16", "int8"]
"""Of the weights in sampling. bf16 rounds them; int8 rounds h too, and sums exactly."""
SAMPLING_PRECISIONS: tuple[SamplingPrecision, ...] = get_args(SamplingPrecision)
"""The exact one first, the fastest last."""


def default_threads() -> int:
    """The CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
