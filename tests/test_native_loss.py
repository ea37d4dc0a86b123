"""The native decoder and loss against the plain equations in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from charrnn.engines.interface import Decoder
from charrnn.engines.native_kernels import NativeEngine
from charrnn.engines.torch_kernels import TorchEngine
from charrnn.model.precision import Precision
from charrnn.native import _native

# T, B, H, V: all different, hardly one a multiple of a vector. The third has more rows than the
# weight gradient takes at a time, the last a large vocabulary.
SHAPES = [(7, 5, 35, 11), (3, 1, 1, 2), (31, 37, 19, 65), (9, 6, 130, 300), (2, 3, 5, 10007)]


class Problem:
    """Random hidden states, a decoder and targets."""

    def __init__(self, shape: tuple[int, int, int, int], masked: bool, scale: float = 1.0) -> None:
        steps, batch, hidden, symbols = shape
        random = torch.Generator().manual_seed(3)
        self.hidden = torch.randn(steps, batch, hidden, generator=random)
        kept = torch.rand(steps, batch, hidden, generator=random) < 0.8
        self.mask = kept / 0.8 if masked else None
        self.decoder = Decoder(
            torch.randn(symbols, hidden, generator=random) * scale * hidden**-0.5,
            torch.randn(symbols, generator=random),
        )
        self.targets = torch.randint(0, symbols, (steps, batch), generator=random)
        self.targets[-1, -1] = symbols - 1

    def leaves(self, dtype: torch.dtype) -> list[Tensor]:
        return [t.detach().to(dtype).requires_grad_() for t in (self.hidden, *self.decoder)]

    def run(self, engine: Any, factor: float = 1.0) -> list[Tensor]:
        """Mean nats, and the gradients of `factor` times them."""
        hidden, weight, bias = leaves = self.leaves(torch.float32)
        nats = engine.mean_nats(hidden, self.mask, Decoder(weight, bias), self.targets)
        return [nats.detach(), *torch.autograd.grad(factor * nats, leaves)]

    def equations(self) -> list[Tensor]:
        """-ln p(target) = ln(sum of e^logits) - logits[target], in float64."""
        hidden, weight, bias = leaves = self.leaves(torch.float64)
        masked = hidden if self.mask is None else hidden * self.mask.double()
        logits = masked @ weight.T + bias  # (T, B, V)
        wanted = logits.gather(-1, self.targets.unsqueeze(-1)).squeeze(-1)
        nats = (logits.exp().sum(-1).log() - wanted).mean()
        return [nats.detach(), *torch.autograd.grad(nats, leaves)]


def errors(found: list[Tensor], expected: list[Tensor]) -> list[float]:
    return [float((a.double() - b).norm() / b.norm()) for a, b in zip(found, expected, strict=True)]


@pytest.fixture(params=_native.available_isas())
def isa(request: pytest.FixtureRequest) -> Any:
    _native.cap_isa(request.param)
    yield
    _native.cap_isa("")


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_fp32_is_the_equations(shape: Any, masked: bool, isa: None) -> None:
    problem = Problem(shape, masked)
    found = errors(problem.run(NativeEngine("fp32", 2)), problem.equations())
    assert max(found) < 2e-6, found


@pytest.mark.parametrize("shape", SHAPES)
def test_bf16_is_no_worse_than_autocast(shape: Any, isa: None) -> None:
    problem = Problem(shape, masked=True)
    expected = problem.equations()
    nats, *ours = errors(problem.run(NativeEngine("bf16", 2)), expected)
    _, *theirs = errors(problem.run(TorchEngine("bf16")), expected)
    assert nats < 2e-3
    assert sum(ours) <= 1.25 * sum(theirs), (ours, theirs)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bits_are_the_same_with_any_number_of_threads(shape: Any, isa: None) -> None:
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        problem = Problem(shape, masked=True)
        first = problem.run(NativeEngine(precision, 1))
        for threads in (2, 3):
            again = problem.run(NativeEngine(precision, threads))
            assert all(torch.equal(a, b) for a, b in zip(again, first, strict=True))


def test_a_factor_of_the_loss_reaches_the_gradients() -> None:
    problem = Problem(SHAPES[0], masked=True)
    _, *once = problem.run(NativeEngine("fp32", 1))
    _, *thrice = problem.run(NativeEngine("fp32", 1), factor=3.0)
    assert all(torch.allclose(3 * a, b) for a, b in zip(once, thrice, strict=True))


def test_improbable_symbols_cost_what_they_should(isa: None) -> None:
    """Logits in the hundreds: the others' probabilities are far below the smallest float."""
    problem = Problem(SHAPES[0], masked=False, scale=100.0)
    found, expected = problem.run(NativeEngine("fp32", 2)), problem.equations()
    assert float(expected[0]) > 50
    assert max(errors(found, expected)) < 1e-4


def test_not_a_number_is_not_hidden(isa: None) -> None:
    for bad in (float("nan"), float("inf")):
        problem = Problem(SHAPES[0], masked=False)
        problem.hidden[1, 2, 3] = bad
        assert problem.run(NativeEngine("fp32", 2))[0].isnan()


def test_bad_arguments_are_refused() -> None:
    problem = Problem(SHAPES[0], masked=True)
    problem.targets[2, 2] = 11
    with pytest.raises(ValueError, match="target 11 is not one of 11 symbols"):
        problem.run(NativeEngine("fp32", 1))
    problem = Problem(SHAPES[0], masked=True)
    problem.decoder = Decoder(problem.decoder.weight, problem.decoder.bias[:-1])
    with pytest.raises(ValueError, match="bias has shape"):
        problem.run(NativeEngine("fp32", 1))
