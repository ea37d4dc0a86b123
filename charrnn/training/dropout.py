"""Dropout masks, drawn as random bytes: floats would cost as much as the recurrence itself."""

import math

import torch
from torch import Tensor

LEVELS = 256
"""Values of a random byte, which is what decides about an element of a mask."""


def draw_mask(
    shape: tuple[int, ...], dropout: float, generator: torch.Generator, native_threads: int = 0
) -> Tensor:
    """Draw a float32 mask of `shape`: 0 with probability `dropout`, else 1 / (1 - dropout).

    With `native_threads` our own kernel draws it on so many CPU threads, from a seed that
    `generator` gives; the mask is the same for any number of them. With 0 torch draws another mask,
    on the device of `generator`.
    """
    if not native_threads:
        return _from_bytes(shape, dropout, generator)
    from charrnn.native import _native

    seed = torch.empty((), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    mask = torch.empty(shape)
    _native.dropout_mask(native_threads, int(seed), dropout, mask)
    return mask


def _from_bytes(shape: tuple[int, ...], dropout: float, generator: torch.Generator) -> Tensor:
    """Draw a mask by torch, eight elements from each 64-bit number.

    `dropout` is rounded to a multiple of 1/256, and what is kept is scaled by the rounded one, so
    the mean of a mask is 1.
    """
    dropped = min(round(dropout * LEVELS), LEVELS - 1)
    count = math.prod(shape)
    draws = torch.empty(-(-count // 8), dtype=torch.int64, device=generator.device)
    draws.random_(-(2**63), None, generator=generator)
    kept = draws.view(torch.uint8)[:count] >= dropped  # the last number may have bytes too many
    return kept.view(shape) * (LEVELS / (LEVELS - dropped))
