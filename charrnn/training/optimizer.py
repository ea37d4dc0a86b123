"""The optimizers: the equations that turn gradients into steps, and the clipping before them.

Adding one is a class here, in OPTIMIZER_CLASSES, and its line in charrnn/plan/optimizers.py, which
holds what the command line and the plan need to know of it without torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

from charrnn.plan.optimizers import OptimizerConfig

EPSILON = 1e-8
"""Number added to the root of a mean of squares, so that nothing is divided by zero."""


class Optimizer(ABC):
    """Parameters, the tensors that are kept of their gradients, and the step that changes both.

    A subclass is one optimizer: a name, the names of what it keeps, and its equations.
    """

    name: ClassVar[str]
    """The optimizer's name in OPTIMIZERS, which is what --optimizer takes."""
    keeps: ClassVar[tuple[str, ...]]
    """Names of what is kept from step to step. Under each name there is one tensor for each
    parameter, of its shape, with zeros before the first step."""

    def __init__(
        self, parameters: Iterable[Parameter], config: OptimizerConfig, native_threads: int = 0
    ) -> None:
        """Keep zeros for `parameters`.

        `native_threads` are the threads of our own kernels, for an optimizer that has one; 0 leaves
        the arithmetic to torch.
        """
        self._config = config
        self._native_threads = native_threads
        self.parameters = list(parameters)
        self.kept = {name: [torch.zeros_like(p) for p in self.parameters] for name in self.keeps}

    @torch.no_grad()
    def clip(self) -> Tensor:
        """Scale all gradients down to `clip_norm`, then cut every element off at `clip_value`.

        Returns the norm of all gradients together as it was before, a scalar on their device.
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
        """Change every parameter by its gradient at the learning rate `lr`; forget the gradients.

        `step` is the number of steps that were made before.
        """
        for weight, *kept in zip(self.parameters, *self.kept.values(), strict=True):
            # Biases, the parameters with one dimension, never decay.
            decay = lr * self._config.weight_decay if weight.dim() > 1 else 0.0
            assert weight.grad is not None
            self._update(step, lr, decay, weight, weight.grad, *kept)
            weight.grad = None

    @abstractmethod
    def _update(
        self, step: int, lr: float, decay: float, weight: Tensor, gradient: Tensor, *kept: Tensor
    ) -> None:
        """Change one parameter and what is kept of it, in place.

        `weight` first becomes (1 - decay) * weight, and then changes by what the gradient says.
        `gradient` and each tensor of `kept`, one for each name in `keeps`, have the shape of
        `weight`; `step` counts from 0.
        """


class AdamW(Optimizer):
    """AdamW (Loshchilov & Hutter 2019), made cautious (Liang et al. 2024).

    With the parameter w, its gradient g, and the step t = 1, 2, ...:

        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g * g
        a  = 1 where m and g have the same sign, else 0
        w <- w - lr * weight_decay * w            (matrices only)
        w <- w - lr * a * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    The two means m and v begin at 0, for which the factors with beta^t make up. Caution, the factor
    a, means that no weight moves against its newest gradient. It lets the rate be twice as high,
    and learns more in the same steps (docs/experiments/choosing.md).
    """

    name = "adamw"
    keeps = ("mean", "square")

    def _update(
        self, step: int, lr: float, decay: float, weight: Tensor, gradient: Tensor, *kept: Tensor
    ) -> None:
        mean, square = kept
        beta1, beta2 = self._config.beta1, self._config.beta2
        mean_scale, square_scale = (1 / (1 - beta ** (step + 1)) for beta in (beta1, beta2))
        if self._native_threads:
            from charrnn.native import _native  # it is not there without a C++ compiler

            _native.adamw(
                self._native_threads, weight.detach(), gradient.contiguous(), mean, square,
                lr, decay, beta1, beta2, EPSILON, mean_scale, square_scale,
            )  # fmt: skip
            return
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        caution = mean * gradient > 0
        update = caution * mean / ((square * square_scale).sqrt() + EPSILON)
        weight.mul_(1 - decay).add_(update, alpha=-lr * mean_scale)


class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton 2012), as Lua torch has it.

    With the parameter w and its gradient g:

        v <- alpha v + (1 - alpha) g * g
        w <- w - lr * weight_decay * w            (matrices only)
        w <- w - lr * g / (sqrt(v) + eps)

    The mean of g is not taken out of v, and v, which begins at 0, is not made unbiased.
    """

    name = "rmsprop"
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

    With the parameter w and its gradient g:

        v <- momentum v + g
        w <- w - lr * weight_decay * w            (matrices only)
        w <- w - lr * v
    """

    name = "sgd"
    keeps = ("velocity",)

    def _update(
        self, step: int, lr: float, decay: float, weight: Tensor, gradient: Tensor, *kept: Tensor
    ) -> None:
        (velocity,) = kept
        velocity.mul_(self._config.momentum).add_(gradient)
        weight.mul_(1 - decay).add_(velocity, alpha=-lr)


OPTIMIZER_CLASSES: Mapping[str, type[Optimizer]] = {
    optimizer.name: optimizer for optimizer in (AdamW, RMSprop, SGD)
}
"""The class of every optimizer in OPTIMIZERS, by its name."""


def make_optimizer(
    parameters: Iterable[Parameter], config: OptimizerConfig, native_threads: int
) -> Optimizer:
    """The optimizer of `parameters` that `config` names.

    It runs on our own kernels with `native_threads` threads, where it has one and they are not 0.
    """
    return OPTIMIZER_CLASSES[config.optimizer](parameters, config, native_threads)
