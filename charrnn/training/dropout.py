"""Dropout masks from raw random bytes: eight mask entries for one 64-bit draw.

torch's Bernoulli draws a float for each entry, which costs as much as the recurrence itself.
"""

import math

import torch
from torch import Tensor

LEVELS = 256


def draw_mask(shape: tuple[int, ...], dropout: float, generator: torch.Generator) -> Tensor:
    """Return a float32 mask of `shape`: 0 with probability `dropout`, else 1 / (1 - dropout).

    The probability is rounded to a multiple of 1/256, and the scale is exact for the rounded one.
    """
    dropped = min(round(dropout * LEVELS), LEVELS - 1)
    count = math.prod(shape)
    draws = torch.empty(-(-count // 8), dtype=torch.int64, device=generator.device)
    draws.random_(-(2**63), None, generator=generator)
    kept = draws.view(torch.uint8)[:count] >= dropped
    return kept.view(shape) * (LEVELS / (LEVELS - dropped))
