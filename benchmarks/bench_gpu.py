"""Training on a GPU: is it right, does a resume give the same bits, how fast is it beside nn.LSTM.

    python benchmarks/bench_gpu.py [--seconds 2]

Needs a GPU that torch can use. Three tables: how far the loss and the gradients of every cell on
every engine lie from the reference in float64 on the CPU; whether 20 steps, saved and taken up
again after the tenth, give the bits of 20 steps in a row; and the median time of a whole training
step beside the textbook loop with torch.nn, all taking turns in one process.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.corpus.contiguous import ContiguousText
from charrnn.engines.selection import Kind, candidates, make_engine
from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.training.char_rnn import CharRNN
from charrnn.training.timing import median_seconds
from charrnn.training.trainer import Trainer

VOCABULARY, EMBEDDING = 65, 64
MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
SHAPES = (
    (1, 384, 16, 64),
    (2, 128, 50, 50),
    (1, 512, 32, 64),
    (3, 512, 100, 100),
    (2, 1024, 128, 128),
)
"""(layers, hidden units, streams, steps of a window)."""
STEPS = 20


def kinds_of(cell: CellName) -> list[Kind]:
    """Every engine and precision that runs `cell` on a GPU, the reference among them."""
    return [*(k for k in candidates("cuda", cell) if k[0] != "reference"), ("reference", "fp32")]


def outputs_and_gradients(model: CharRNN, kind: Kind, ids: Tensor, targets: Tensor) -> list[Tensor]:
    """The loss and its gradient in every parameter, as float64 on the CPU."""
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


def print_errors() -> None:
    """Every cell, two layers, on random text, against the reference in float64 on the CPU."""
    print("relative error of loss and gradients, the largest of all tensors")
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, VOCABULARY, (31, 7), generator=generator)  # (T, B)
    targets = torch.randint(0, VOCABULARY, (31, 7), generator=generator)
    for cell in CELLS:
        config = ModelConfig(VOCABULARY, cell, 2, 96, EMBEDDING, dropout=0.0)
        exact = CharRNN(config, torch.Generator().manual_seed(1)).double()
        expected = outputs_and_gradients(exact, ("reference", "fp32"), ids, targets)
        model = CharRNN(config, torch.Generator().manual_seed(1)).to("cuda")
        for kind in kinds_of(cell):
            found = outputs_and_gradients(model, kind, ids.to("cuda"), targets.to("cuda"))
            print(f"  {cell:11}{kind[0]:10}{kind[1]:6}{farthest(found, expected):10.1e}")


def trainer_of(cell: CellName, kind: Kind, shape: tuple[int, int, int, int]) -> Trainer:
    """The project's own trainer on made-up text."""
    layers, hidden, batch, steps = shape
    ids = np.random.default_rng(0).integers(0, VOCABULARY, 8 * batch * steps + 1)
    model = ModelConfig(VOCABULARY, cell, layers, hidden, EMBEDDING, dropout=0.1, weight_drop=0.0)
    step = StepConfig(
        batch_size=batch,
        seq_len=steps,
        engine=kind[0],
        precision=kind[1],
        device="cuda",
    )
    return Trainer(ContiguousText(ids), model, OptimizerConfig(), step, total_steps=1000)


def same_bits(a: Trainer, b: Trainer) -> bool:
    """Whether two trainers are in the same state, to the bit."""
    (numbers_a, tensors_a), (numbers_b, tensors_b) = a.state(), b.state()
    return numbers_a == numbers_b and all(
        np.array_equal(tensors_a[name], tensors_b[name]) for name in tensors_a
    )


def print_resumes() -> None:
    """Whether a run that is repeated, and one that is resumed, ends in the same bits."""
    print(f"{STEPS} steps: the same bits when repeated, when resumed in the middle")
    shape = (2, 96, 7, 31)
    for cell in CELLS:
        for kind in kinds_of(cell):
            whole, again, first = (trainer_of(cell, kind, shape) for _ in range(3))
            for _ in range(STEPS):
                whole.step()
                again.step()
            for _ in range(STEPS // 2):
                first.step()
            second = trainer_of(cell, kind, shape)
            second.load_state(*first.state())
            for _ in range(STEPS - STEPS // 2):
                second.step()
            answers = [same_bits(whole, again), same_bits(whole, second)]
            words = ["yes" if answer else "NO" for answer in answers]
            print(f"  {cell:11}{kind[0]:10}{kind[1]:6}{words[0]:>5}{words[1]:>5}")


@dataclass
class Peer:
    """The textbook loop: nn.Embedding, nn.LSTM, nn.Linear, torch.optim.AdamW (fused)."""

    cell: CellName
    shape: tuple[int, int, int, int]
    autocast: bool

    def __post_init__(self) -> None:
        layers, hidden, batch, steps = self.shape
        embedding = nn.Embedding(VOCABULARY, EMBEDDING)
        stack = MODULES[self.cell](EMBEDDING, hidden, layers, dropout=0.1 if layers > 1 else 0.0)
        self.modules = nn.ModuleList([embedding, stack, nn.Linear(hidden, VOCABULARY)]).to("cuda")
        self.optimizer = torch.optim.AdamW(self.modules.parameters(), lr=1e-3, fused=True)
        self.ids = torch.randint(0, VOCABULARY, (steps + 1, batch), device="cuda")
        self.state: Any = None

    def step(self) -> None:
        """Train on one window."""
        embedding, stack, decoder = self.modules
        with torch.autocast("cuda", torch.bfloat16, enabled=self.autocast):
            hidden, state = stack(embedding(self.ids[:-1]), self.state)
            logits = decoder(nn.functional.dropout(hidden, 0.1))
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), self.ids[1:].flatten())
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.modules.parameters(), 1.0)
        self.optimizer.step()
        is_tuple = isinstance(state, tuple)
        self.state = tuple(part.detach() for part in state) if is_tuple else state.detach()


def timed(step: Callable[[], None]) -> Callable[[], None]:
    """The step, and the wait until the GPU has done it."""

    def run() -> None:
        step()
        torch.cuda.synchronize()

    return run


def print_times(seconds: float) -> None:
    """Milliseconds of a whole step of every engine, and of the peers, by shape."""
    print("ms of a training step: cell, layers x units, streams x steps; ratios to nn fp32")
    for shape in SHAPES:
        for cell in MODULES:
            steps = {
                f"nn {name}": timed(Peer(cell, shape, autocast).step)
                for name, autocast in (("fp32", False), ("bf16", True))
            }
            for kind in candidates("cuda", cell):
                steps[" ".join(kind)] = timed(trainer_of(cell, kind, shape).step)
            found = median_seconds(steps, seconds, rounds=5)
            layers, hidden, batch, length = shape
            row = f"  {cell:5}{layers}x{hidden:<5}{batch:4} x {length:<4}"
            for name, step_s in found.items():
                row += f" | {name} {1000 * step_s:.2f} ({found['nn fp32'] / step_s:.2f}x)"
            print(row, flush=True)


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="for each shape and cell")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("bench_gpu.py: torch finds no GPU here")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    print_errors()
    print_resumes()
    print_times(options.seconds)


if __name__ == "__main__":
    main()
