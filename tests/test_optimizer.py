"""Each optimizer is its equations, and so is the learning rate."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from charrnn.plan.optimizers import OPTIMIZERS, OptimizerConfig
from charrnn.training.learning_rate import Schedule, learning_rate
from charrnn.training.optimizer import (
    OPTIMIZER_CLASSES,
    SGD,
    AdamW,
    Optimizer,
    RMSprop,
    make_optimizer,
)

SHAPES = ((3, 4), (5,), (37, 19))
Numbers = NDArray[np.float64]


def test_every_optimizer_that_can_be_named_has_a_class_and_every_class_a_name() -> None:
    assert OPTIMIZER_CLASSES.keys() == OPTIMIZERS.keys()


@pytest.mark.parametrize("native_threads", [0, 1, 3])
def test_cautious_adamw_is_its_equations(native_threads: int) -> None:
    config = OptimizerConfig(beta1=0.8, beta2=0.95, weight_decay=0.1, clip_norm=1e9)
    random = np.random.default_rng(1)
    shapes = ((3, 4), (5,), (37, 19))
    values = [random.normal(size=shape) for shape in shapes]
    parameters = [torch.nn.Parameter(torch.tensor(v, dtype=torch.float32)) for v in values]
    optimizer = AdamW(parameters, config, native_threads)
    means, squares = [0 * v for v in values], [0 * v for v in values]
    for step in range(5):
        lr = learning_rate(step, Schedule.of(5, config), config)
        for i, parameter in enumerate(parameters):
            gradient = random.normal(size=shapes[i])
            parameter.grad = torch.tensor(gradient, dtype=torch.float32)
            if len(shapes[i]) == 2:
                values[i] = values[i] - lr * 0.1 * values[i]
            means[i] = 0.8 * means[i] + 0.2 * gradient
            squares[i] = 0.95 * squares[i] + 0.05 * gradient**2
            mean, square = means[i] / (1 - 0.8 ** (step + 1)), squares[i] / (1 - 0.95 ** (step + 1))
            caution = means[i] * gradient > 0
            values[i] = values[i] - lr * caution * mean / (np.sqrt(square) + 1e-8)
        optimizer.step(step, lr)
        for value, parameter in zip(values, parameters, strict=True):
            np.testing.assert_allclose(parameter.detach().numpy(), value, rtol=1e-4, atol=1e-6)
            assert parameter.grad is None


def test_gradients_are_clipped_by_their_common_norm() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(2, 2)), torch.nn.Parameter(torch.zeros(3))]
    optimizer = AdamW(parameters, OptimizerConfig(clip_norm=1.0))
    parameters[0].grad, parameters[1].grad = torch.full((2, 2), 2.0), torch.zeros(3)
    parameters[1].grad[0] = 3.0
    assert float(optimizer.clip()) == pytest.approx(5.0)
    assert parameters[0].grad[1, 1] == pytest.approx(0.4, rel=1e-5)
    assert parameters[1].grad.tolist() == pytest.approx([0.6, 0, 0], rel=1e-5)


def follows(
    optimizer: Optimizer,
    equations: Callable[[Numbers, Numbers, Numbers, bool], tuple[Numbers, Numbers]],
) -> None:
    """Seven steps of `optimizer` end where `equations` do, written out in float64.

    These map (parameter, gradient, what is kept, whether it is a matrix) to the parameter and what
    is kept after a step.
    """
    random = np.random.default_rng(2)
    values = [p.detach().double().numpy() for p in optimizer.parameters]
    kept = [np.zeros_like(value) for value in values]
    for step in range(7):
        for index, parameter in enumerate(optimizer.parameters):
            gradient = random.normal(size=parameter.shape) * 10.0 ** random.integers(-4, 2)
            parameter.grad = torch.tensor(gradient, dtype=torch.float32)
            values[index], kept[index] = equations(
                values[index], gradient, kept[index], parameter.dim() == 2
            )
        optimizer.step(step, 0.03)
        for value, parameter in zip(values, optimizer.parameters, strict=True):
            np.testing.assert_allclose(parameter.detach().numpy(), value, rtol=1e-4, atol=1e-6)
            assert parameter.grad is None


def parameters() -> list[torch.nn.Parameter]:
    random = np.random.default_rng(1)
    return [
        torch.nn.Parameter(torch.tensor(random.normal(size=shape), dtype=torch.float32))
        for shape in SHAPES
    ]


@pytest.mark.parametrize("weight_decay", [0.0, 0.4])
def test_rmsprop_is_its_equations(weight_decay: float) -> None:
    config = OptimizerConfig(optimizer="rmsprop", alpha=0.7, weight_decay=weight_decay)

    def equations(
        value: Numbers, gradient: Numbers, square: Numbers, is_matrix: bool
    ) -> tuple[Numbers, Numbers]:
        square = 0.7 * square + 0.3 * gradient**2
        decayed = value - 0.03 * weight_decay * value * is_matrix
        return decayed - 0.03 * gradient / (np.sqrt(square) + 1e-8), square

    optimizer = make_optimizer(parameters(), config, native_threads=1)
    assert isinstance(optimizer, RMSprop)
    follows(optimizer, equations)


@pytest.mark.parametrize("weight_decay", [0.0, 0.4])
@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_sgd_is_its_equations(momentum: float, weight_decay: float) -> None:
    config = OptimizerConfig(optimizer="sgd", momentum=momentum, weight_decay=weight_decay)

    def equations(
        value: Numbers, gradient: Numbers, velocity: Numbers, is_matrix: bool
    ) -> tuple[Numbers, Numbers]:
        velocity = momentum * velocity + gradient
        return value - 0.03 * weight_decay * value * is_matrix - 0.03 * velocity, velocity

    optimizer = make_optimizer(parameters(), config, native_threads=1)
    assert isinstance(optimizer, SGD)
    follows(optimizer, equations)


def clipped(config: OptimizerConfig) -> tuple[float, list[float], list[float]]:
    """The norm reported for the gradients (6, -2, 0) and (3,), and what is left of them."""
    parameters = [torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(1))]
    parameters[0].grad, parameters[1].grad = torch.tensor([6.0, -2.0, 0.0]), torch.tensor([3.0])
    norm = make_optimizer(parameters, config, 0).clip()
    return float(norm), parameters[0].grad.tolist(), parameters[1].grad.tolist()


@pytest.mark.parametrize(
    ("clip_norm", "clip_value", "expected"),
    [
        (0, 0, (6, -2, 0, 3)),
        (0, 2.5, (2.5, -2, 0, 2.5)),
        (3.5, 0, (3, -1, 0, 1.5)),
        (3.5, 1.25, (1.25, -1, 0, 1.25)),  # by the norm first
        (100, 100, (6, -2, 0, 3)),
    ],
)
def test_gradients_are_clipped_by_norm_and_then_by_value(
    clip_norm: float, clip_value: float, expected: tuple[float, ...]
) -> None:
    norm, first, second = clipped(OptimizerConfig(clip_norm=clip_norm, clip_value=clip_value))
    assert norm == 7
    assert [*first, *second] == pytest.approx(expected, rel=1e-5)


def test_the_learning_rate_warms_up_and_falls_along_a_cosine() -> None:
    config = OptimizerConfig(lr=2.0, warmup_steps=10, final_lr_frac=0.1)
    schedule = Schedule.of(1000, config)
    rates = [learning_rate(step, schedule, config) for step in range(1000)]
    assert rates[0] == pytest.approx(2.0 / 11)
    assert rates[10] == 2.0
    assert max(rates) == 2.0
    assert rates[505] == pytest.approx(2.0 * (0.1 + 0.9 * 0.5), rel=1e-6)
    assert rates[-1] == pytest.approx(0.2, rel=1e-3)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    assert learning_rate(0, Schedule.of(1, config), config) == 2.0


@pytest.mark.parametrize("total", [450, 3000])
def test_a_bent_schedule_goes_on_without_a_jump_and_ends_at_its_new_end(total: int) -> None:
    config = OptimizerConfig(lr=2.0, warmup_steps=10, final_lr_frac=0.1)
    before = Schedule.of(1000, config)
    after = before.bent(400, total)
    assert after.progress(400) == before.progress(400) == pytest.approx(390 / 990)
    assert after.progress(total) == 1
    middle = after.progress((400 + total) // 2)
    assert middle == pytest.approx((before.progress(400) + 1) / 2)
    again = after.bent(420, 1000)
    assert again.progress(420) == after.progress(420)
    assert learning_rate(1000, again, config) == pytest.approx(0.2)


def test_a_rate_that_falls_by_epochs_is_constant_before_and_within_them() -> None:
    config = OptimizerConfig(lr=2e-3, lr_decay=0.97, lr_decay_after=10, warmup_steps=0)
    short, long = Schedule.of(50, config), Schedule.of(9000, config)
    for epoch, times in ((0, 0), (1, 0), (9, 0), (10, 1), (11, 2), (25, 16)):
        for schedule in (short, long, long.bent(400, 700)):
            for step in (0, 7, 49):
                rate = learning_rate(step, schedule, config, epoch)
                assert rate == pytest.approx(2e-3 * 0.97**times, rel=1e-12)
    warmed = OptimizerConfig(lr=2.0, lr_decay=0.5, warmup_steps=3)
    assert learning_rate(0, Schedule.of(100, warmed), warmed) == pytest.approx(0.5)
    assert learning_rate(3, Schedule.of(100, warmed), warmed) == 2.0
