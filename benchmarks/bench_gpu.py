"""Training on a GPU: is it right, does a resume give the same bits, how fast is it beside nn.LSTM.

    python -m benchmarks.bench_gpu [--size short]

Needs a GPU that torch can use. Three tables: how far the loss and the gradients of every cell on
every engine lie from the reference in float64 on the CPU; whether 20 steps, saved and taken up
again after the tenth, give the bits of 20 steps in a row; and the median time of a whole training
step beside the textbook loop with torch.nn, all taking turns in one process.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from benchmarks.command_line import make_parser, print_machine, print_table
from benchmarks.shape import VOCABULARY, Shape
from benchmarks.training_steps import COLUMNS, make_trainer, speeds, step_seconds
from charrnn.engines.selection import Kind, candidates, make_engine
from charrnn.model.cells import CELLS, CellName
from charrnn.plan.config import Device
from charrnn.training.char_rnn import CharRNN
from charrnn.training.trainer import Trainer

DROPOUT = 0.1
KIND_COLUMNS = {"cell": "11", "engine": "10", "precision": "9"}


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    checked: Shape
    """Sizes of the models, of every cell, whose results are compared."""
    timed: tuple[Shape, ...]
    seconds: float
    """Time for all contestants of a shape together, if five steps of each do not take longer."""
    steps: int = 20
    """Steps after which the results are compared."""


CHECKED = Shape("rnn", 2, 96, 7, 31)
TIMED = tuple(
    Shape(cell, *sizes)
    for sizes in (
        (1, 384, 16, 64),
        (2, 128, 50, 50),
        (1, 512, 32, 64),
        (3, 512, 100, 100),
        (2, 1024, 128, 128),
    )
    for cell in ("lstm", "gru", "rnn")
)
SIZES = {
    "toy": Size(Shape("rnn", 2, 6, 3, 5), (Shape("gru", 2, 8, 3, 5),), seconds=0.0, steps=4),
    "short": Size(CHECKED, TIMED[:3], seconds=1.0),
    "full": Size(CHECKED, TIMED, seconds=2.0),
}


def kinds_of(cell: CellName, device: Device) -> list[Kind]:
    """Every engine and precision that runs `cell` on `device`, the reference behind the others."""
    fast = [kind for kind in candidates(device, cell) if kind[0] != "reference"]
    return [*fast, ("reference", "fp32")]


def outputs_and_gradients(model: CharRNN, kind: Kind, ids: Tensor, targets: Tensor) -> list[Tensor]:
    """The loss and its gradient in every parameter, as float64 on the CPU; ids, targets (T, B)."""
    model.zero_grad()
    state = model.initial_state(ids.shape[1])
    nats, _ = model.mean_nats(ids, targets, state, make_engine(*kind, threads=1))
    torch.autograd.backward(nats)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return [part.detach().double().cpu() for part in (nats, *gradients)]


def farthest(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest ||found - expected|| / ||expected|| of all tensors."""
    pairs = zip(found, expected, strict=True)
    return max(float((a - b).norm() / b.norm().clamp_min(1e-12)) for a, b in pairs)


def errors(shape: Shape, device: Device) -> Iterator[tuple[str, str, str, float]]:
    """How far every cell on every engine is from the reference in float64 on the CPU."""
    generator = torch.Generator().manual_seed(0)
    sizes = (shape.seq_len, shape.batch_size)
    ids = torch.randint(0, VOCABULARY, sizes, generator=generator)  # (T, B)
    targets = torch.randint(0, VOCABULARY, sizes, generator=generator)  # (T, B)
    for cell in CELLS:
        config = replace(shape, cell=cell).model()
        exact = CharRNN(config, torch.Generator().manual_seed(1)).double()
        expected = outputs_and_gradients(exact, ("reference", "fp32"), ids, targets)
        model = CharRNN(config, torch.Generator().manual_seed(1)).to(device)
        for kind in kinds_of(cell, device):
            found = outputs_and_gradients(model, kind, ids.to(device), targets.to(device))
            yield cell, *kind, farthest(found, expected)


def same_bits(a: Trainer, b: Trainer) -> str:
    """`yes` if two trainers are in the same state, to the bit, and `NO` if they are not."""
    (numbers_a, tensors_a), (numbers_b, tensors_b) = a.state(), b.state()
    same = numbers_a == numbers_b and all(
        np.array_equal(tensors_a[name], tensors_b[name]) for name in tensors_a
    )
    return "yes" if same else "NO"


def resumes(shape: Shape, device: Device, steps: int) -> Iterator[tuple[str, str, str, str, str]]:
    """Whether a training that is repeated, and one that is resumed, ends in the same bits."""
    for cell in CELLS:
        for kind in kinds_of(cell, device):
            whole, again, first, second = (
                make_trainer(replace(shape, cell=cell), kind, device, DROPOUT) for _ in range(4)
            )
            for _ in range(steps):
                whole.step()
                again.step()
            for _ in range(steps // 2):
                first.step()
            second.load_state(*first.state())
            for _ in range(steps - steps // 2):
                second.step()
            yield cell, *kind, same_bits(whole, again), same_bits(whole, second)


def times(shape: Shape, device: Device, seconds: float) -> Iterator[Sequence[object]]:
    """The row of COLUMNS of each contestant."""
    found = step_seconds(shape, device, seconds, DROPOUT)
    yield from (speeds(shape, found, name) for name in found)


def print_tables(size: Size, device: Device) -> None:
    """Print the three tables."""
    print_table(
        "relative error of loss and gradients, the largest of all tensors",
        {**KIND_COLUMNS, "error": "8.1e"},
        errors(size.checked, device),
    )
    print_table(
        f"{size.steps} steps: the same bits when repeated, when resumed in the middle",
        {**KIND_COLUMNS, "repeated": "8", "resumed": "8"},
        resumes(size.checked, device, size.steps),
    )
    for shape in size.timed:
        print_table(str(shape), COLUMNS, times(shape, device, size.seconds))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the three tables of this machine's GPU; exit with code 1 where there is none."""
    size = SIZES[make_parser(__doc__).parse_args(arguments).size]
    if not torch.cuda.is_available():
        raise SystemExit("bench_gpu: torch finds no GPU here")
    print_machine(torch.cuda.get_device_name(), f"torch {torch.__version__}")
    print_tables(size, "cuda")


if __name__ == "__main__":
    main()
