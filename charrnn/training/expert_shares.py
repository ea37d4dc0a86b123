"""What each count of an n-gram adds to a logit, as a function of what the experts learn."""

from typing import Any

import torch
from torch import Tensor

from charrnn.experts.codes import CODES, COUNT_OF_CODE

LEAST_LOG_OFFSET, MOST_LOG_OFFSET = -9.0, 3.0
"""Between these the logarithm of what a count is divided by is kept: else, in a long run, it ran
away, and the loss became infinite."""


class _Shares(torch.autograd.Function):
    """w ln(1 + c / e) for every length, bucket and code, with its gradients written out.

    There are ten thousands of them in every step, and torch would make each of six operations one
    more pass over all, forward and back.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, log_offset: Tensor, codes: int) -> Tensor:
        offset = log_offset.clamp(LEAST_LOG_OFFSET, MOST_LOG_OFFSET).exp()  # (K, BUCKETS)
        counts = torch.from_numpy(COUNT_OF_CODE[:codes]).to(weight)  # (codes,)
        ratio = counts / offset[..., None]  # (K, BUCKETS, codes)
        logarithm = torch.log1p(ratio)
        ctx.save_for_backward(weight, log_offset, ratio, logarithm)
        shares = weight.new_zeros(*weight.shape, CODES)
        torch.mul(weight[..., None], logarithm, out=shares[..., :codes])
        return shares

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_shares: Tensor) -> tuple[Tensor | None, ...]:
        weight, log_offset, ratio, logarithm = ctx.saved_tensors
        d_shares = d_shares[..., : ratio.shape[-1]]
        d_weight = (d_shares * logarithm).sum(-1)  # (K, BUCKETS)
        # The derivative of ln(1 + c / e) by ln e is -(c / e) / (1 + c / e).
        slope = (d_shares * (ratio / (1 + ratio))).sum(-1)
        inside = (log_offset > LEAST_LOG_OFFSET) & (log_offset < MOST_LOG_OFFSET)
        return d_weight, -weight * slope * inside, None


def expert_shares(weight: Tensor, log_offset: Tensor, codes: int = CODES) -> Tensor:
    """What each count adds to a symbol's logit, (K, BUCKETS, CODES).

    For each length and bucket it is w ln(1 + c / e), with the count c, the weight w and the offset
    e, whose logarithm is kept within bounds; `weight` and `log_offset` are (K, BUCKETS). Codes from
    `codes` on do not occur, and get 0.
    """
    shares: Tensor = _Shares.apply(weight, log_offset, codes)  # type: ignore[no-untyped-call]
    return shares
