"""The native engine against the plain equations in float64."""

from __future__ import annotations

import ast
import operator
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from charrnn import native
from charrnn.engines.interface import LayerWeights
from charrnn.engines.native_kernels import NativeEngine
from charrnn.engines.reference import FUNCTIONS
from charrnn.model.cells import CELLS, CellName
from charrnn.model.precision import Precision
from charrnn.native import _native

NATIVE_CELLS = [name for name, cell in CELLS.items() if "native" in cell.kernels]


def equations(
    cell: CellName,
    ids: Tensor,
    table: Tensor,
    layers: Sequence[LayerWeights],
    state: tuple[Tensor, ...],
    masks: Sequence[Tensor | None],
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The stack by the equations of model/cells.py, in the precision of its arguments."""
    finals = []
    outputs: list[Tensor] = []
    for number, w in enumerate(layers):
        carried = tuple(part[number] for part in state)
        steps = []
        for t in range(ids.shape[0]):
            if number == 0:
                x = table[ids[t]]
            else:
                mask = masks[number - 1]
                below = outputs[t] if mask is None else outputs[t] * mask[t]
                x = below @ w.weight_ih.T + w.bias_ih
            carried = CELLS[cell].step(x, carried, w.recurrent, FUNCTIONS)
            steps.append(carried[0])
        outputs = steps
        finals.append(carried)
    return torch.stack(outputs), tuple(torch.stack(parts) for parts in zip(*finals, strict=True))


class Case:
    """A random problem whose sizes all differ, and every gradient of a random linear loss."""

    def __init__(
        self, cell: CellName, steps: int, batch: int, hidden: int, layers: int, rows: int,
        masked: bool = True, seed: int = 0,
    ) -> None:  # fmt: skip
        random = torch.Generator().manual_seed(seed)

        def normal(*shape: int, scale: float = 1.0) -> Tensor:
            return (torch.randn(*shape, generator=random) * scale).requires_grad_()

        g, scale = CELLS[cell].gates, hidden**-0.5
        self.cell = cell
        self.ids = torch.randint(0, rows, (steps, batch), generator=random)
        self.ids[-1, -1] = rows - 1
        self.table = normal(rows, g * hidden)
        self.layers = [
            LayerWeights(
                normal(g * hidden, hidden, scale=scale), normal(g * hidden, scale=0.3),
                (normal(g * hidden, hidden, scale=scale), normal(g * hidden, scale=0.3)),
            ) for _ in range(layers)
        ]  # fmt: skip
        self.state = tuple(normal(layers, batch, hidden, scale=0.5) for _ in CELLS[cell].state)
        self.masks = [
            (torch.rand(steps, batch, hidden, generator=random) < 0.7).float() / 0.7
            if masked and n % 2 == 0 else None
            for n in range(layers - 1)
        ]  # fmt: skip
        self.directions = [torch.randn(steps, batch, hidden, generator=random)]
        self.directions += [
            torch.randn(layers, batch, hidden, generator=random) for _ in self.state
        ]

    def leaves(self) -> list[Tensor]:
        first, *others = self.layers
        kept = [w for layer in others for w in (layer.weight_ih, layer.bias_ih, *layer.recurrent)]
        return [self.table, *first.recurrent, *kept, *self.state]

    def double(self) -> Case:
        twin = object.__new__(Case)
        twin.cell, twin.ids = self.cell, self.ids

        def leaf(t: Tensor) -> Tensor:
            return t.detach().double().requires_grad_()

        twin.table = leaf(self.table)
        twin.layers = [
            LayerWeights(leaf(w.weight_ih), leaf(w.bias_ih), tuple(leaf(r) for r in w.recurrent))
            for w in self.layers
        ]
        twin.state = tuple(leaf(s) for s in self.state)
        twin.masks = [None if m is None else m.double() for m in self.masks]
        twin.directions = [d.double() for d in self.directions]
        return twin

    def run(self, engine: Any) -> list[Tensor]:
        """Hidden states, final state and all gradients."""
        hidden, final = engine(self.cell, self.ids, self.table, self.layers, self.state, self.masks)
        outputs = [hidden, *final]
        loss = torch.stack(
            [(o * d).sum() for o, d in zip(outputs, self.directions, strict=True)]
        ).sum()
        return [*(o.detach() for o in outputs), *torch.autograd.grad(loss, self.leaves())]


def errors(got: list[Tensor], wanted: list[Tensor]) -> list[float]:
    return [
        float((a.double() - b).norm() / b.norm().clamp_min(1e-12))
        for a, b in zip(got, wanted, strict=True)
    ]


@pytest.fixture(params=_native.available_isas())
def isa(request: pytest.FixtureRequest) -> Any:
    _native.cap_isa(request.param)
    yield _native.isa()
    _native.cap_isa("")


@pytest.mark.parametrize("cell", NATIVE_CELLS)
@pytest.mark.parametrize("threads", [1, 2])
def test_fp32_is_the_equations(cell: CellName, threads: int, isa: str) -> None:
    case = Case(cell, steps=7, batch=5, hidden=35, layers=3, rows=11)
    found = errors(case.run(NativeEngine("fp32", threads).run), case.double().run(equations))
    assert max(found) <= 1e-5, found


def autocast(case: Case) -> list[Tensor]:
    """What torch's own layers make of the same problem under bf16 autocast."""
    rows, hidden = case.table.shape[0], case.state[0].shape[-1]
    module = getattr(torch.nn, case.cell.upper())(rows, hidden, num_layers=2)
    first, second = case.layers
    with torch.no_grad():
        module.weight_ih_l1.copy_(second.weight_ih)
        module.bias_ih_l1.copy_(second.bias_ih)
        module.weight_ih_l0.copy_(case.table.T)
        module.bias_ih_l0.zero_()
        for number, layer in enumerate((first, second)):
            getattr(module, f"weight_hh_l{number}").copy_(layer.recurrent[0])
            getattr(module, f"bias_hh_l{number}").copy_(layer.recurrent[1])
    one_hot = torch.nn.functional.one_hot(case.ids, rows).float()
    with torch.autocast("cpu", torch.bfloat16):
        has_c = len(case.state) == 2
        hidden_states, final = module(one_hot, case.state if has_c else case.state[0])
    outputs = [hidden_states, *(final if has_c else (final,))]
    loss = torch.stack(
        [(o.float() * d).sum() for o, d in zip(outputs, case.directions, strict=True)]
    ).sum()
    parameters = [
        module.weight_ih_l0, module.weight_hh_l0, module.bias_hh_l0, module.weight_ih_l1,
        module.bias_ih_l1, module.weight_hh_l1, module.bias_hh_l1, *case.state,
    ]  # fmt: skip
    table, *others = torch.autograd.grad(loss, parameters)
    return [*(o.detach() for o in outputs), table.T, *others]


@pytest.mark.parametrize("cell", [name for name in NATIVE_CELLS if "torch" in CELLS[name].kernels])
def test_bf16_is_no_worse_than_autocast(cell: CellName, isa: str) -> None:
    ours, theirs = [], []
    for seed in range(4):
        case = Case(cell, 24, 9, 72, layers=2, rows=13, masked=False, seed=seed)
        wanted = case.double().run(equations)
        ours.append(errors(case.run(NativeEngine("bf16", 2).run), wanted))
        theirs.append(errors(autocast(case), wanted))
    mine, other = torch.tensor(ours).mean(0), torch.tensor(theirs).mean(0)
    assert mine.sum() <= other.sum(), (mine, other)
    assert (mine <= 1.25 * other).all(), (mine, other)


@pytest.mark.parametrize("cell", NATIVE_CELLS)
def test_long_window(cell: CellName, isa: str) -> None:
    """More rows than the weight gradients take at a time."""
    case = Case(cell, steps=61, batch=17, hidden=37, layers=2, rows=6)  # 1037 rows
    wanted = case.double().run(equations)
    assert max(errors(case.run(NativeEngine("fp32", 2).run), wanted)) <= 1e-5
    assert max(errors(case.run(NativeEngine("bf16", 2).run), wanted)) <= 0.03


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("shape", [(9, 6, 40), (5, 1, 70), (4, 3, 300), (3, 13, 449)])
def test_the_bits_are_the_same_in_every_run_and_with_any_number_of_threads(
    precision: Precision, shape: tuple[int, int, int]
) -> None:
    case = Case("lstm", *shape, layers=2, rows=7)
    first = case.run(NativeEngine(precision, 1).run)
    for threads in (1, 2, 2, 3):
        for a, b in zip(case.run(NativeEngine(precision, threads).run), first, strict=True):
            assert torch.equal(a, b)


@settings(max_examples=400, deadline=None)
@given(
    cell=st.sampled_from(NATIVE_CELLS), steps=st.integers(1, 6), batch=st.integers(1, 15),
    hidden=st.integers(1, 70), layers=st.integers(1, 3), rows=st.integers(2, 6),
    threads=st.integers(1, 3), masked=st.booleans(),
    precision=st.sampled_from(["fp32", "bf16"]), isa=st.sampled_from(_native.available_isas()),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_any_shape(
    cell: CellName, steps: int, batch: int, hidden: int, layers: int, rows: int, threads: int,
    masked: bool, precision: Precision, isa: str, seed: int,
) -> None:  # fmt: skip
    case = Case(cell, steps, batch, hidden, layers, rows, masked, seed)
    wanted = case.double().run(equations)
    _native.cap_isa(isa)
    try:
        got = case.run(NativeEngine(precision, threads).run)
    finally:
        _native.cap_isa("")
    # A small gradient may be a difference of large ones: compare with the size of all, too. Stacks
    # of one unit, which the search finds, are off by up to a third more than others.
    size = max(1.0, *(float(w.norm()) for w in wanted))
    tolerance, share = (2e-5, 0.1) if precision == "fp32" else (0.08, 0.4)
    assert all(bool(torch.isfinite(a).all()) for a in got)
    for a, b in zip(got, wanted, strict=True):
        assert float((a.double() - b).norm()) <= tolerance * max(float(b.norm()), share * size)


@pytest.mark.parametrize("cell", NATIVE_CELLS)
def test_inference_gives_the_same_bits_and_keeps_nothing(cell: CellName) -> None:
    case = Case(cell, steps=6, batch=4, hidden=21, layers=2, rows=5)
    engine = NativeEngine("fp32", 2).run
    arguments = (case.ids, case.table, case.layers, case.state, case.masks)
    trained, trained_state = engine(cell, *arguments)
    with torch.no_grad():
        hidden, state = engine(cell, *arguments)
    assert torch.equal(hidden, trained.detach())
    assert hidden.grad_fn is None
    assert all(torch.equal(a, b.detach()) for a, b in zip(state, trained_state, strict=True))
    assert torch.equal(state[0][-1], hidden[-1])


def test_state_carries_over_windows() -> None:
    case = Case("lstm", steps=8, batch=3, hidden=19, layers=2, rows=5, masked=False)
    engine = NativeEngine("fp32", 1).run
    with torch.no_grad():
        whole, end = engine("lstm", case.ids, case.table, case.layers, case.state, [None])
        first, state = engine("lstm", case.ids[:3], case.table, case.layers, case.state, [None])
        second, final = engine("lstm", case.ids[3:], case.table, case.layers, state, [None])
    assert torch.equal(whole, torch.cat([first, second]))
    assert all(torch.equal(a, b) for a, b in zip(end, final, strict=True))


def test_not_a_number_is_not_hidden() -> None:
    case = Case("lstm", steps=2, batch=3, hidden=17, layers=1, rows=4)
    with torch.no_grad():
        case.table[case.ids[0, 1], 3] = float("nan")
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        hidden, _ = NativeEngine(precision, 1).run(
            "lstm", case.ids, case.table, case.layers, case.state, []
        )
        assert hidden[-1, 1].isnan().any()


def test_saturated_gates_stay_in_range() -> None:
    for cell in NATIVE_CELLS:
        case = Case(cell, steps=5, batch=2, hidden=18, layers=1, rows=4)
        with torch.no_grad():
            case.table *= 1e4
        got, wanted = case.run(NativeEngine("fp32", 1).run), case.double().run(equations)
        assert torch.isfinite(torch.cat([g.flatten() for g in got])).all()
        assert errors(got[:1], wanted[:1])[0] < 1e-5


def test_second_backward_is_refused() -> None:
    case = Case("gru", steps=2, batch=2, hidden=8, layers=1, rows=3)
    hidden, _ = NativeEngine("fp32", 1).run(
        "gru", case.ids, case.table, case.layers, case.state, []
    )
    hidden.sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="only once"):
        hidden.sum().backward()  # type: ignore[no-untyped-call]


def test_bad_arguments_are_refused() -> None:
    case = Case("lstm", steps=2, batch=2, hidden=8, layers=1, rows=3)
    engine = NativeEngine("fp32", 1).run
    with pytest.raises(ValueError, match="id 3 is outside"):
        engine("lstm", case.ids.clamp_min(3), case.table, case.layers, case.state, [])
    with pytest.raises(ValueError, match="table has shape"):
        engine("lstm", case.ids, case.table[:, :-1], case.layers, case.state, [])
    with pytest.raises(ValueError, match="cell 'elman'"):
        engine("elman", case.ids, case.table, case.layers, case.state, [])
    with pytest.raises(TypeError):
        engine("lstm", case.ids.int(), case.table, case.layers, case.state, [])


def test_the_table_of_cells_and_the_compiled_module_name_the_same_cells() -> None:
    assert sorted(_native.cells()) == sorted(NATIVE_CELLS)


def test_the_stub_names_the_arguments_of_the_compiled_module() -> None:
    """mypy believes the stub; whoever calls by keyword relies on the module."""
    stub = Path(native.__file__).with_name("_native.pyi").read_text(encoding="utf-8")
    declared: dict[str, list[str]] = {}
    for node in ast.parse(stub).body:
        functions = node.body if isinstance(node, ast.ClassDef) else [node]
        scope = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for function in functions:
            if isinstance(function, ast.FunctionDef):
                names = [a.arg for a in (*function.args.args, *function.args.kwonlyargs)]
                declared[scope + function.name] = names
    for name, names in declared.items():
        function = operator.attrgetter(name)(_native)
        signature = function.__nb_signature__[0][0]
        assert re.findall(r"(?:\(|, )(\w+)(?:: |,|\))", signature) == names, signature
    offered = {name for name in dir(_native) if not name.startswith("__")}
    assert offered == {name.split(".")[0] for name in declared} | {"Window", "LossWindow"}


def in_new_process(code: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, text=True,
        capture_output=True, check=False, timeout=60,
    ).stdout.strip()  # fmt: skip


@pytest.mark.parametrize("name", _native.available_isas())
def test_the_environment_caps_the_instruction_set(name: str) -> None:
    code = "from charrnn.native import _native; print(_native.isa())"
    assert in_new_process(code, CHARRNN_ISA=name) == name


def test_the_module_loads_without_torch() -> None:
    code = "import sys; import charrnn.native._native; print('torch' in sys.modules)"
    assert in_new_process(code) == "False"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_module_works_in_a_forked_child() -> None:
    case = Case("lstm", steps=3, batch=6, hidden=16, layers=1, rows=3)
    engine = NativeEngine("fp32", 2).run
    with torch.no_grad():
        engine("lstm", case.ids, case.table, case.layers, case.state, [])  # starts the threads
        child = os.fork()
        if child == 0:
            engine("lstm", case.ids, case.table, case.layers, case.state, [])
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


def test_a_mask_depends_on_its_seed_alone() -> None:
    def mask(threads: int, seed: int, size: int = 40_000) -> np.ndarray:
        drawn = np.empty(size, np.float32)
        _native.dropout_mask(threads, seed, 0.5, drawn)
        return drawn

    seed = -(2**61) + 12345
    first = mask(1, seed)
    assert all(np.array_equal(first, mask(threads, seed)) for threads in (2, 3))
    assert np.array_equal(first[:777], mask(2, seed, 777))
    for isa in _native.available_isas():
        _native.cap_isa(isa)
        try:
            assert np.array_equal(first, mask(2, seed))
        finally:
            _native.cap_isa("")
    # Independent masks agree at half of the places: neighbouring seeds, shifted places, neighbours.
    others = [mask(1, seed + step)[: len(first) - 1] for step in (1, 1 << 31, 1 << 32, 1 << 60)]
    for other in (*others, mask(1, seed + 1 + (1 << 32))[1:], first[1:]):
        agreement = float((other == first[: len(other)]).mean())
        assert agreement == pytest.approx(0.5, abs=5 * 0.5 / 200)
