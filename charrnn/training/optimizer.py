"""AdamW, RMSprop and SGD, clipping, and the learning rate as a pure function of the step."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

from charrnn.plan.optimizers import OptimizerConfig

EPSILON = 1e-8

Numbers = tuple[float, float, float, float, float, float, float]
"""lr, decay, beta1, beta2, epsilon, and what the two means are multiplied by to be unbiased."""


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


def learning_rate(step: int, schedule: Schedule, config: OptimizerConfig, epoch: int = 0) -> float:
    """The rate of step 0, 1, ... `total` - 1: linear warm-up, then a cosine down.

    With `lr_decay`, instead of the cosine: constant, times that after each epoch from the
    `lr_decay_after`-th on; `epoch` is how many are over.
    """
    if step < schedule.warmup:
        return config.lr * (step + 1) / (schedule.warmup + 1)
    if config.lr_decay is not None:
        return config.lr * config.lr_decay ** max(0, epoch + 1 - config.lr_decay_after)
    cosine = 0.5 * (1 + math.cos(math.pi * schedule.progress(step)))
    return config.lr * (config.final_lr_frac + (1 - config.final_lr_frac) * cosine)


class Optimizer(ABC):
    """Parameters, what is kept of their gradients, and how these change them."""

    keeps: ClassVar[tuple[str, ...]]
    """What is kept from step to step: of each a tensor for each parameter, zero at first."""

    def __init__(self, parameters: Iterable[Parameter], config: OptimizerConfig) -> None:
        self._config = config
        self.parameters = list(parameters)
        self.kept = {name: [torch.zeros_like(p) for p in self.parameters] for name in self.keeps}

    @torch.no_grad()
    def clip(self) -> Tensor:
        """Scale all gradients down to `clip_norm`, then cut every element off at `clip_value`.

        Returns their norm as it was before.
        """
        norm = torch.nn.utils.get_total_norm(
            [p.grad for p in self.parameters if p.grad is not None]
        )
        if self._config.clip_norm:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self._config.clip_norm, norm)
        if self._config.clip_value:
            torch.nn.utils.clip_grad_value_(self.parameters, self._config.clip_value)
        return norm

    @torch.no_grad()
    def step(self, step: int, lr: float) -> None:
        """Update the parameters from their gradients, and forget these; `step` counts from 0."""
        for weight, *kept in zip(self.parameters, *self.kept.values(), strict=True):
            decay = lr * self._config.weight_decay if weight.dim() > 1 else 0.0
            assert weight.grad is not None
            self._update(step, lr, decay, weight, weight.grad, *kept)
            weight.grad = None

    @abstractmethod
    def _update(
        self, step: int, lr: float, decay: float, weight: Tensor, gradient: Tensor, *kept: Tensor
    ) -> None:
        """One parameter's step, in place: w <- w - decay * w, and then what the gradient says."""


class AdamW(Optimizer):
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

    keeps = ("mean", "square")

    def __init__(
        self, parameters: Iterable[Parameter], config: OptimizerConfig, native_threads: int = 0
    ) -> None:
        """Our own kernels do the arithmetic on `native_threads` threads; 0: torch does."""
        super().__init__(parameters, config)
        self._adamw = _native_adamw(native_threads) if native_threads else _adamw

    def _update(
        self, step: int, lr: float, decay: float, weight: Tensor, gradient: Tensor, *kept: Tensor
    ) -> None:
        beta1, beta2 = self._config.beta1, self._config.beta2
        mean_scale, square_scale = (1 / (1 - beta ** (step + 1)) for beta in (beta1, beta2))
        mean, square = kept
        numbers = (lr, decay, beta1, beta2, EPSILON, mean_scale, square_scale)
        self._adamw(weight, gradient, mean, square, *numbers)


class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton 2012), as Lua torch has it: not centred, nothing corrected.

    With gradient g:

        v <- alpha v + (1 - alpha) g * g
        w <- w - lr * weight_decay * w            (matrices only)
        w <- w - lr * g / (sqrt(v) + eps)
    """

    keeps = ("square",)

    def _update(
        self, step: int, lr: float, decay: float, weight: Tensor, gradient: Tensor, *kept: Tensor
    ) -> None:
        (square,) = kept
        square.mul_(self._config.alpha)
        square.addcmul_(gradient, gradient, value=1 - self._config.alpha)
        weight.mul_(1 - decay).addcdiv_(gradient, square.sqrt().add_(EPSILON), value=-lr)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (Polyak 1964), as torch has it.

    With gradient g:

        v <- momentum v + g
        w <- w - lr * weight_decay * w            (matrices only)
        w <- w - lr * v
    """

    keeps = ("velocity",)

    def _update(
        self, step: int, lr: float, decay: float, weight: Tensor, gradient: Tensor, *kept: Tensor
    ) -> None:
        (velocity,) = kept
        velocity.mul_(self._config.momentum).add_(gradient)
        weight.mul_(1 - decay).add_(velocity, alpha=-lr)


def make_optimizer(
    parameters: Iterable[Parameter], config: OptimizerConfig, native_threads: int
) -> Optimizer:
    """The optimizer that `config` names; AdamW runs on our own kernels if `native_threads`."""
    if config.optimizer == "rmsprop":
        return RMSprop(parameters, config)
    if config.optimizer == "sgd":
        return SGD(parameters, config)
    return AdamW(parameters, config, native_threads)


def _native_adamw(threads: int) -> Callable[[Tensor, Tensor, Tensor, Tensor, *Numbers], None]:
    """The same as `_adamw` on our own kernels."""
    from charrnn.native import _native

    def update(
        weight: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, *numbers: *Numbers
    ) -> None:
        _native.adamw(threads, weight.detach(), gradient.contiguous(), mean, square, *numbers)

    return update


def _adamw(
    weight: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, *numbers: *Numbers
) -> None:
    """One parameter's step, in place; the equations are in AdamW."""
    lr, decay, beta1, beta2, epsilon, mean_scale, square_scale = numbers
    mean.lerp_(gradient, 1 - beta1)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    caution = mean * gradient > 0
    update = caution * mean / ((square * square_scale).sqrt() + epsilon)
    weight.mul_(1 - decay).add_(update, alpha=-lr * mean_scale)
