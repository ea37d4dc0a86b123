"""Each cell against its equations unit by unit, its gradients against finite differences."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from charrnn.engines.reference import FUNCTIONS
from charrnn.model.cells import BAG, CELLS, CellName, Functions

BATCH, HIDDEN = 3, 5
NUMPY = Functions.of(np.tanh)


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


class ByHand:
    """The equations of one stream for one unit at a time, with Python floats and loops."""

    def __init__(self, x: Any, state: list[Any], weights: dict[str, Any]) -> None:
        """x (G*H,), state (H,) each, weights by name."""
        self.x, self.state, self.weights = x, state, weights

    def input(self, gate: int, unit: int) -> float:
        return float(self.x[gate * HIDDEN + unit])

    def product(self, name: str, gate: int, unit: int, vector: Any) -> float:
        """Row `unit` of a gate's block of weight_NAME times the vector, plus bias_NAME."""
        weight, row = self.weights[f"weight_{name}"], gate * HIDDEN + unit
        total = sum(float(weight[row, k]) * float(vector[k]) for k in range(HIDDEN))
        return total + float(self.weights[f"bias_{name}"][row])

    def gate(self, index: int, unit: int) -> float:
        return self.input(index, unit) + self.product("hh", index, unit, self.state[0])

    def rnn(self) -> list[list[float]]:
        return [[math.tanh(self.gate(0, unit)) for unit in range(HIDDEN)]]

    def gru(self) -> list[list[float]]:
        new = []
        for unit, h in enumerate(self.state[0]):
            r, z = logistic(self.gate(0, unit)), logistic(self.gate(1, unit))
            recurrent = self.product("hh", 2, unit, self.state[0])
            new.append((1 - z) * math.tanh(self.input(2, unit) + r * recurrent) + z * h)
        return [new]

    def lstm(self) -> list[list[float]]:
        new_h, new_c = [], []
        for unit, c in enumerate(self.state[1]):
            i, f, o = (logistic(self.gate(index, unit)) for index in (0, 1, 3))
            new_c.append(f * c + i * math.tanh(self.gate(2, unit)))
            new_h.append(o * math.tanh(new_c[-1]))
        return [new_h, new_c]

    def jordan(self) -> list[list[float]]:
        (hidden,) = self.rnn()
        return [[math.tanh(self.product("hy", 0, unit, hidden)) for unit in range(HIDDEN)]]

    def irnn(self) -> list[list[float]]:
        return [[max(0.0, self.gate(0, unit)) for unit in range(HIDDEN)]]

    def gru_simple(self) -> list[list[float]]:
        new = []
        for unit, h in enumerate(self.state[0]):
            z = logistic(self.gate(0, unit))
            new.append((1 - z) * math.tanh(self.gate(1, unit)) + z * h)
        return [new]

    def gru_cho(self) -> list[list[float]]:
        (h,) = self.state
        reset = [logistic(self.gate(0, unit)) * h[unit] for unit in range(HIDDEN)]
        new = []
        for unit in range(HIDDEN):
            z = logistic(self.gate(1, unit))
            n = math.tanh(self.input(2, unit) + self.product("hn", 0, unit, reset))
            new.append((1 - z) * n + z * h[unit])
        return [new]

    def bow(self) -> list[list[float]]:
        h, n = self.state
        new = [(h[unit] * n[unit] + self.input(0, unit)) / (n[unit] + 1) for unit in range(HIDDEN)]
        return [new, [count + 1 for count in n]]


def arguments(name: CellName) -> tuple[Any, ...]:
    """(x, state, weights) in float64; a count of bow's is one that does not begin afresh."""
    random = np.random.default_rng(3)
    cell = CELLS[name]
    x = random.normal(size=(BATCH, cell.gates * HIDDEN))
    state = tuple(
        random.integers(1, BAG - 3, (BATCH, HIDDEN)).astype(float)
        if part == "n"
        else random.normal(size=(BATCH, HIDDEN))
        for part in cell.state
    )
    shapes = cell.recurrent_shapes(HIDDEN).values()
    return x, state, tuple(random.normal(size=shape) for shape in shapes)


@pytest.mark.parametrize("name", CELLS)
def test_the_cell_is_its_equations(name: CellName) -> None:
    x, state, weights = arguments(name)
    after = CELLS[name].step(x, state, weights, NUMPY)
    assert len(after) == len(CELLS[name].state)
    by_name = dict(zip(CELLS[name].recurrent_shapes(HIDDEN), weights, strict=True))
    for stream in range(BATCH):
        by_hand = ByHand(x[stream], [part[stream] for part in state], by_name)
        expected = getattr(by_hand, name.replace("-", "_"))()
        for part, values in zip(after, expected, strict=True):
            np.testing.assert_allclose(part[stream], values, rtol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_numpy_and_torch_run_the_same_equations(name: CellName) -> None:
    x, state, weights = arguments(name)
    in_numpy = CELLS[name].step(x, state, weights, NUMPY)
    tensors = [tuple(map(torch.from_numpy, arrays)) for arrays in ((x,), state, weights)]
    in_torch = CELLS[name].step(tensors[0][0], tensors[1], tensors[2], FUNCTIONS)
    for array, tensor in zip(in_numpy, in_torch, strict=True):
        np.testing.assert_allclose(array, tensor.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_agree_with_finite_differences(name: CellName) -> None:
    x, state, weights = arguments(name)
    inputs = tuple(torch.from_numpy(a).requires_grad_() for a in (x, *state, *weights))

    def three_steps(x, *rest):  # type: ignore[no-untyped-def]
        carried, weights = rest[: len(state)], rest[len(state) :]
        for _ in range(3):
            carried = CELLS[name].step(x, carried, weights, FUNCTIONS)
        return carried

    assert torch.autograd.gradcheck(three_steps, inputs)


@pytest.mark.parametrize("name", CELLS)
def test_no_input_overflows_and_the_precision_stays(name: CellName) -> None:
    x, state, weights = arguments(name)
    x, *state = (part.astype(np.float32) for part in (x * 1e5, *state))
    with np.errstate(all="raise", under="ignore"):
        weights = tuple(part.astype(np.float32) for part in weights)
        after = CELLS[name].step(x, tuple(state), weights, NUMPY)
    assert all(np.isfinite(part).all() and part.dtype == np.float32 for part in after)


def test_the_bag_is_the_mean_of_its_window_whatever_the_order() -> None:
    random = np.random.default_rng(4)
    xs = random.normal(size=(2 * BAG + 7, BATCH, HIDDEN))
    state: tuple[Any, ...] = (np.zeros((BATCH, HIDDEN)), np.zeros((BATCH, HIDDEN)))
    for step, x in enumerate(xs):
        state = CELLS["bow"].step(x, state, (), NUMPY)
        window = xs[step // BAG * BAG : step + 1]
        np.testing.assert_allclose(state[0], window.mean(axis=0), atol=1e-12)
        assert (state[1] == len(window)).all()


def test_the_document_on_adding_a_cell_shows_the_code_as_it_is() -> None:
    root = Path(__file__).parent.parent
    files = ("charrnn/model/cells.py", "tests/test_cells.py")
    code = "".join((root / file).read_text(encoding="utf-8") for file in files)
    document = (root / "docs/adding-a-cell.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", document, re.MULTILINE)
    shown = [block for block in blocks if "gru_simple" in block]
    assert len(shown) == 3
    for block in shown:
        assert re.sub("^ {4}", "", block, flags=re.MULTILINE).strip("\n") in code
