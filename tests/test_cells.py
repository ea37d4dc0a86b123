"""Each cell against its equations unit by unit, its gradients against finite differences."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from charrnn.model.cells import CELLS
from charrnn.model.config import CELL_NAMES, GATES, STATES, CellName

BATCH, HIDDEN = 3, 5


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def by_hand(cell: CellName, x, state, weight, bias):  # type: ignore[no-untyped-def]
    """The equations for one stream, with Python floats and loops; x (G*H,), state (H,) each."""
    h = state[0]

    def recurrent(gate: int, unit: int) -> float:
        row = gate * HIDDEN + unit
        return sum(float(weight[row, k] * h[k]) for k in range(HIDDEN)) + float(bias[row])

    new_h, new_c = [], []
    for unit in range(HIDDEN):

        def gate(index: int, squash: Callable[[float], float], unit: int = unit) -> float:
            return squash(float(x[index * HIDDEN + unit]) + recurrent(index, unit))

        if cell == "rnn":
            new_h.append(gate(0, math.tanh))
        elif cell == "gru":
            r, z = gate(0, logistic), gate(1, logistic)
            n = math.tanh(float(x[2 * HIDDEN + unit]) + r * recurrent(2, unit))
            new_h.append((1 - z) * n + z * float(h[unit]))
        else:
            i, f = gate(0, logistic), gate(1, logistic)
            g, o = gate(2, math.tanh), gate(3, logistic)
            new_c.append(f * float(state[1][unit]) + i * g)
            new_h.append(o * math.tanh(new_c[-1]))
    return [new_h, new_c] if new_c else [new_h]


def arguments(cell: CellName):  # type: ignore[no-untyped-def]
    random = np.random.default_rng(3)
    rows = GATES[cell] * HIDDEN
    x = random.normal(size=(BATCH, rows))
    state = tuple(random.normal(size=(BATCH, HIDDEN)) for _ in STATES[cell])
    return x, state, random.normal(size=(rows, HIDDEN)), random.normal(size=rows)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_the_cell_is_its_equations(cell: CellName) -> None:
    x, state, weight, bias = arguments(cell)
    found = CELLS[cell](x, state, weight, bias, np.tanh)
    assert len(found) == len(STATES[cell])
    for stream in range(BATCH):
        expected = by_hand(cell, x[stream], [part[stream] for part in state], weight, bias)
        for part, values in zip(found, expected, strict=True):
            np.testing.assert_allclose(part[stream], values, rtol=1e-12)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_numpy_and_torch_run_the_same_equations(cell: CellName) -> None:
    x, state, weight, bias = arguments(cell)
    in_numpy = CELLS[cell](x, state, weight, bias, np.tanh)
    tensors = [torch.from_numpy(a) for a in (x, weight, bias)]
    in_torch = CELLS[cell](
        tensors[0], tuple(map(torch.from_numpy, state)), tensors[1], tensors[2], torch.tanh
    )
    for one, other in zip(in_numpy, in_torch, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-12)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_gradients_agree_with_finite_differences(cell: CellName) -> None:
    x, state, weight, bias = arguments(cell)
    inputs = tuple(torch.from_numpy(a).requires_grad_() for a in (x, *state, weight, bias))

    def three_steps(x, *rest):  # type: ignore[no-untyped-def]
        *carried, weight, bias = rest
        carried = tuple(carried)
        for _ in range(3):
            carried = CELLS[cell](x, carried, weight, bias, torch.tanh)
        return carried

    assert torch.autograd.gradcheck(three_steps, inputs)


def test_no_input_overflows() -> None:
    for cell in CELL_NAMES:
        x, state, weight, bias = arguments(cell)
        with np.errstate(all="raise", under="ignore"):
            found = CELLS[cell](x * 1e5, state, weight, bias, np.tanh)
        assert all(np.isfinite(part).all() for part in found)
