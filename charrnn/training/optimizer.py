"""AdamW, gradient clipping, and the learning rate as a pure function of the step."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import Parameter

from charrnn.training.config import OptimizerConfig

EPSILON = 1e-8


def learning_rate(step: int, steps: int, config: OptimizerConfig) -> float:
    """The rate of step 0, 1, ... `steps` - 1: linear warm-up, then a cosine down."""
    warmup = min(config.warmup_steps, steps // 10)
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return config.lr * (config.final_lr_frac + (1 - config.final_lr_frac) * cosine)


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019).

    With gradient g and step t = 1, 2, ...:

        w <- w - lr * weight_decay * w            (matrices only)
        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g * g
        w <- w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    torch's fused kernel does the arithmetic. It is called directly, because the first use of
    torch.optim imports torch's compiler, which takes as long as importing torch.
    """

    def __init__(self, parameters: Iterable[Parameter], config: OptimizerConfig) -> None:
        self._config = config
        self.parameters = list(parameters)
        self.means = [torch.zeros_like(p) for p in self.parameters]
        self.squares = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def clip(self) -> Tensor:
        """Scale all gradients down to `clip_norm` where their norm exceeds it; return the norm."""
        return torch.nn.utils.clip_grad_norm_(self.parameters, self._config.clip_norm)

    @torch.no_grad()
    def step(self, step: int, lr: float) -> None:
        """Update the parameters from their gradients, and forget these; `step` counts from 0."""
        matrices = [i for i, p in enumerate(self.parameters) if p.dim() > 1]
        others = [i for i, p in enumerate(self.parameters) if p.dim() == 1]
        for indices, weight_decay in ((matrices, self._config.weight_decay), (others, 0.0)):
            # The kernel adds nothing to the step count: it is 1-based.
            count = torch.tensor(step + 1.0, device=self.parameters[0].device)
            torch._fused_adamw_(
                [self.parameters[i] for i in indices],
                [gradient for i in indices if (gradient := self.parameters[i].grad) is not None],
                [self.means[i] for i in indices],
                [self.squares[i] for i in indices],
                [],
                [count for _ in indices],
                lr=lr,
                beta1=self._config.beta1,
                beta2=self._config.beta2,
                weight_decay=weight_decay,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )
        for parameter in self.parameters:
            parameter.grad = None
