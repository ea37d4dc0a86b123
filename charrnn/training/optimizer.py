"""Cautious AdamW, gradient clipping, and the learning rate as a pure function of the step."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import Parameter

from charrnn.training.config import OptimizerConfig

EPSILON = 1e-8


@dataclass(frozen=True)
class Schedule:
    """How far a run has come at each of its steps: 0 after the warm-up, 1 at the end."""

    warmup: int
    """Steps of the warm-up."""
    total: int
    """Steps of the whole run."""
    bend_step: int
    """From this step on progress is even: to 1 at `total`."""
    bend_progress: float
    """How far the run had come at `bend_step`."""

    @classmethod
    def of(cls, steps: int, config: OptimizerConfig) -> "Schedule":
        """The schedule of a run of `steps` steps."""
        warmup = min(config.warmup_steps, steps // 10)
        return cls(warmup, steps, warmup, 0.0)

    def progress(self, step: int) -> float:
        """How far the run has come at `step`, from 0 to 1."""
        done = max(0, step - self.bend_step) / max(1, self.total - self.bend_step)
        return self.bend_progress + (1 - self.bend_progress) * done

    def bent(self, step: int, total: int) -> "Schedule":
        """The same until `step`; from there evenly on to an end at another `total`."""
        return replace(self, total=total, bend_step=step, bend_progress=self.progress(step))


def learning_rate(step: int, schedule: Schedule, config: OptimizerConfig) -> float:
    """The rate of step 0, 1, ... `total` - 1: linear warm-up, then a cosine down."""
    if step < schedule.warmup:
        return config.lr * (step + 1) / (schedule.warmup + 1)
    cosine = 0.5 * (1 + math.cos(math.pi * schedule.progress(step)))
    return config.lr * (config.final_lr_frac + (1 - config.final_lr_frac) * cosine)


class AdamW:
    """AdamW (Loshchilov & Hutter 2019), made cautious (Liang et al. 2024).

    With gradient g and step t = 1, 2, ...:

        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g * g
        a  = 1 where m and g have the same sign, else 0
        w <- w - lr * weight_decay * w            (matrices only)
        w <- w - lr * a * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    Caution, the factor a, means that no weight moves against its newest gradient. It lets the rate
    be twice as high, and learns more in the same steps (docs/experiments/choosing.md).
    """

    def __init__(
        self, parameters: Iterable[Parameter], config: OptimizerConfig, native_threads: int = 0
    ) -> None:
        """Our own kernels do the arithmetic on `native_threads` threads; 0: torch does."""
        self._config = config
        self._native_threads = native_threads
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
        beta1, beta2 = self._config.beta1, self._config.beta2
        mean_scale, square_scale = (1 / (1 - beta ** (step + 1)) for beta in (beta1, beta2))
        for weight, mean, square in zip(self.parameters, self.means, self.squares, strict=True):
            decay = lr * self._config.weight_decay if weight.dim() > 1 else 0.0
            numbers = (lr, decay, beta1, beta2, EPSILON, mean_scale, square_scale)
            assert weight.grad is not None
            if self._native_threads:
                from charrnn.engines import _native

                gradient = weight.grad.contiguous()
                _native.adamw(
                    self._native_threads, weight.detach(), gradient, mean, square, *numbers
                )
            else:
                _update(weight, weight.grad, mean, square, *numbers)
            weight.grad = None


def _update(
    weight: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    lr: float,
    decay: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    mean_scale: float,
    square_scale: float,
) -> None:
    """One parameter's step, in place; the equations are in AdamW."""
    mean.lerp_(gradient, 1 - beta1)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    caution = mean * gradient > 0
    update = caution * mean / ((square * square_scale).sqrt() + epsilon)
    weight.mul_(1 - decay).add_(update, alpha=-lr * mean_scale)
