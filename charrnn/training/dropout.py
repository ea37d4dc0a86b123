"""Dropout masks. Drawing one as floats by torch would cost as much as the recurrence itself."""

import math

import torch
from torch import Tensor

LEVELS = 256


def draw_mask(
    shape: tuple[int, ...], dropout: float, generator: torch.Generator, native_threads: int = 0
) -> Tensor:
    """Return a float32 mask of `shape`: 0 with probability `dropout`, else 1 / (1 - dropout).

    With `native_threads` our own kernel draws it on the CPU, from a seed that `generator` gives;
    the mask does not depend on how many threads. Without, torch does.
    """
    if not native_threads:
        return _from_bytes(shape, dropout, generator)
    from charrnn.native import _native

    seed = torch.empty((), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    mask = torch.empty(shape)
    _native.dropout_mask(native_threads, int(seed), dropout, mask)
    return mask


def _from_bytes(shape: tuple[int, ...], dropout: float, generator: torch.Generator) -> Tensor:
    """Eight entries for one 64-bit draw.

    The probability is rounded to a multiple of 1/256, and the scale is exact for the rounded one.
    """
    dropped = min(round(dropout * LEVELS), LEVELS - 1)
    count = math.prod(shape)
    draws = torch.empty(-(-count // 8), dtype=torch.int64, device=generator.device)
    draws.random_(-(2**63), None, generator=generator)
    kept = draws.view(torch.uint8)[:count] >= dropped
    return kept.view(shape) * (LEVELS / (LEVELS - dropped))
