"""Whole training steps of every engine against torch.nn as a PyTorch user writes it.

    python benchmarks/bench_training.py [--seconds 8] [--only "lstm 1x512"]

A step is forward, backward, clipping and AdamW, on a 64-wide embedding and 65 characters. All take
turns in one process; medians; read the ratios, the milliseconds belong to one machine and moment.
GFLOP/s count the recurrent stack's multiplications and additions; the share is of what a large
product of torch's reaches in the same run. Peak memory is a process of its own for each engine.
"""

import argparse
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from charrnn.cli.process import prepare_for_training

prepare_for_training()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

from charrnn.corpus.contiguous import ContiguousText  # noqa: E402
from charrnn.engines.selection import candidates  # noqa: E402
from charrnn.inference.threads import default_threads  # noqa: E402
from charrnn.model.cells import CELLS, CellName  # noqa: E402
from charrnn.model.config import ModelConfig  # noqa: E402
from charrnn.native import _native  # noqa: E402
from charrnn.plan.config import StepConfig  # noqa: E402
from charrnn.plan.optimizers import OptimizerConfig  # noqa: E402
from charrnn.training.timing import median_seconds  # noqa: E402
from charrnn.training.trainer import Trainer  # noqa: E402

VOCABULARY, EMBEDDING = 65, 64
MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
HEADINGS = (
    f"{'':18}{'ms':>8} {'chars/s':>9} {'x nn fp32':>9} {'x nn bf16':>9} "
    f"{'GFLOP/s':>8} {'share':>6} {'MiB':>6}"
)
PEERS = {"nn fp32": False, "nn bf16 autocast": True}


@dataclass(frozen=True)
class Shape:
    """What is trained."""

    cell: CellName
    layers: int
    hidden: int
    batch: int
    steps: int

    def __str__(self) -> str:
        return f"{self.cell} {self.layers}x{self.hidden} B{self.batch} T{self.steps}"

    def flops(self) -> float:
        """Of the recurrent stack in one training step; backward counts twice forward."""
        inputs = EMBEDDING + (self.layers - 1) * self.hidden
        weights = CELLS[self.cell].gates * self.hidden * (inputs + self.layers * self.hidden)
        return 3 * 2 * weights * self.batch * self.steps


SHAPES = [
    Shape(cell, *sizes)
    for sizes in (
        (2, 128, 50, 50),
        (1, 384, 16, 64),
        (1, 512, 16, 64),
        (1, 512, 32, 64),
        (1, 1024, 16, 64),
        (2, 256, 64, 128),
        (3, 512, 100, 100),
    )
    for cell in ("lstm", "gru")
]


class Peer:
    """The textbook loop: nn.Embedding, nn.LSTM, nn.Linear, torch.optim.AdamW."""

    def __init__(self, shape: Shape, autocast: bool) -> None:
        self.autocast = autocast
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING)
        self.stack = MODULES[shape.cell](EMBEDDING, shape.hidden, shape.layers)
        self.decoder = nn.Linear(shape.hidden, VOCABULARY)
        modules = nn.ModuleList([self.embedding, self.stack, self.decoder])
        self.parameters = list(modules.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-3)
        self.ids = torch.randint(0, VOCABULARY, (shape.steps + 1, shape.batch))
        self.state = None

    def step(self) -> None:
        """Train on one window."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            hidden, state = self.stack(self.embedding(self.ids[:-1]), self.state)
            logits = self.decoder(hidden)
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), self.ids[1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.state = (
            tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        )


def ours(shape: Shape, engine: str, precision: str) -> Trainer:
    """The project's own training step, without dropout, as the peer has none."""
    ids = np.random.default_rng(0).integers(0, VOCABULARY, 4 * shape.batch * shape.steps + 1)
    model = ModelConfig(VOCABULARY, shape.cell, shape.layers, shape.hidden, EMBEDDING, dropout=0.0)
    step = StepConfig(
        shape.batch, shape.steps, engine=engine, precision=precision,
        threads=torch.get_num_threads(),
    )  # fmt: skip
    return Trainer(ContiguousText(ids), model, OptimizerConfig(), step, total_steps=1000)


def makers(shape: Shape) -> dict[str, Callable[[], Peer | Trainer]]:
    """Every contestant by name."""
    found: dict[str, Callable[[], Peer | Trainer]] = {
        name: lambda autocast=autocast: Peer(shape, autocast) for name, autocast in PEERS.items()
    }
    for kind in candidates("cpu", shape.cell):
        found[" ".join(kind)] = lambda kind=kind: ours(shape, *kind)
    return found


def peak_mib(shape: Shape, name: str) -> float:
    """Memory that training takes above torch itself, in a process of its own."""
    command = [sys.executable, __file__, "--only", str(shape), "--memory-of", name]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def print_memory(shape: Shape, name: str) -> None:
    """Print the growth of this process over three steps, in MiB."""
    before = resident_kib("VmRSS")
    contestant = makers(shape)[name]()
    for _ in range(3):
        contestant.step()
    print((resident_kib("VmHWM") - before) / 1024)


def resident_kib(field: str) -> int:
    """VmRSS (memory now) or VmHWM (at its highest) of this process, as Linux tells it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0])


def product_flops(precision: torch.dtype) -> float:
    """FLOP/s of a large product."""
    a, b = torch.randn(2048, 2048).to(precision), torch.randn(2048, 2048).to(precision)
    return 2 * 2048**3 / median_seconds({"": lambda: a @ b}, 1.0)[""]


def processor() -> str:
    """The processor's name where Linux tells it."""
    info = Path("/proc/cpuinfo")
    names = (
        [n for n in info.read_text().splitlines() if n.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0].split(":")[1].strip() if names else platform.processor()


def main() -> None:
    """Print a table for each shape."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="for each shape")
    parser.add_argument("--only", default="", help="shapes whose name contains this")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(default_threads())
    shapes = [shape for shape in SHAPES if options.only in str(shape)]
    if options.memory_of:
        print_memory(shapes[0], options.memory_of)
        return
    large = {"fp32": product_flops(torch.float32), "bf16": product_flops(torch.bfloat16)}
    print(f"{processor()}, {_native.isa()} kernels, {torch.get_num_threads()} threads")
    print(
        f"a large product: fp32 {large['fp32'] / 1e9:.0f}, bf16 {large['bf16'] / 1e9:.0f} GFLOP/s"
    )
    for shape in shapes:
        steps = {name: make().step for name, make in makers(shape).items()}
        found = median_seconds(steps, options.seconds, rounds=5)
        print(f"\n{shape}")
        print(HEADINGS)
        for name, seconds in found.items():
            rate = shape.flops() / seconds
            share = rate / large["bf16" if "bf16" in name else "fp32"]
            print(
                f"{name:18}{1000 * seconds:8.1f} {shape.batch * shape.steps / seconds:9,.0f} "
                f"{found['nn fp32'] / seconds:9.2f} {found['nn bf16 autocast'] / seconds:9.2f} "
                f"{rate / 1e9:8.0f} {share:6.2f} {peak_mib(shape, name):6.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
