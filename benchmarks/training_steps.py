"""Whole training steps of one shape, timed in turn: every engine, and the textbook loop."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
import torch

from benchmarks.fresh_process import growth_mib, in_copy
from benchmarks.shape import VOCABULARY, Shape
from benchmarks.textbook_loop import TextbookTraining
from charrnn.corpus.contiguous import ContiguousText
from charrnn.engines.selection import Kind, candidates
from charrnn.plan.config import Device, StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.training.timing import median_seconds
from charrnn.training.trainer import Trainer

FP32_PEER, BF16_PEER = "nn fp32", "nn bf16 autocast"
COLUMNS = {"": "18", "ms": "8.2f", "chars/s": "10,.0f", "x nn fp32": "9.2f", "x nn bf16": "9.2f"}
"""The columns of `speeds`, as print_table takes them."""


class Contestant(Protocol):
    """What is trained, by an engine of ours or by the textbook loop."""

    def step(self) -> object:
        """Train on one window."""


def make_trainer(shape: Shape, kind: Kind, device: Device, dropout: float) -> Trainer:
    """Our own training of `shape`, on made-up text, with as many threads as torch has."""
    ids = np.random.default_rng(0).integers(0, VOCABULARY, 8 * shape.characters() + 1)
    engine, precision = kind
    step = StepConfig(
        batch_size=shape.batch_size,
        seq_len=shape.seq_len,
        engine=engine,
        precision=precision,
        device=device,
        threads=torch.get_num_threads(),
    )
    text = ContiguousText(ids)
    return Trainer(text, shape.model(dropout), OptimizerConfig(), step, total_steps=1000)


def contestants(
    shape: Shape, device: Device, dropout: float = 0.0
) -> dict[str, Callable[[], Contestant]]:
    """What makes each contestant, by its name: the textbook loop's two precisions, every engine."""
    makers: dict[str, Callable[[], Contestant]] = {
        name: partial(TextbookTraining, shape, device, autocast, dropout)
        for name, autocast in ((FP32_PEER, False), (BF16_PEER, True))
    }
    for kind in candidates(device, shape.cell):
        makers[" ".join(kind)] = partial(make_trainer, shape, kind, device, dropout)
    return makers


def step_seconds(
    shape: Shape, device: Device, seconds: float, dropout: float = 0.0
) -> dict[str, float]:
    """The median seconds of each contestant's step, all of them taking turns for `seconds`."""

    def finished(contestant: Contestant) -> None:
        contestant.step()
        if device == "cuda":  # where a step only has been ordered when it returns
            torch.cuda.synchronize()

    makers = contestants(shape, device, dropout)
    steps = {name: partial(finished, make()) for name, make in makers.items()}
    return median_seconds(steps, seconds, rounds=5)


def speeds(
    shape: Shape, found: dict[str, float], name: str
) -> tuple[str, float, float, float, float]:
    """The row of COLUMNS for the contestant `name`, of all the seconds that were `found`."""
    seconds = found[name]
    return (
        name,
        1000 * seconds,
        shape.characters() / seconds,
        found[FP32_PEER] / seconds,
        found[BF16_PEER] / seconds,
    )


def product_flops(precision: torch.dtype, size: int, seconds: float) -> float:
    """Multiplications and additions a second that torch reaches in a product of square matrices."""
    a, b = torch.randn(size, size).to(precision), torch.randn(size, size).to(precision)
    return 2 * size**3 / median_seconds({"product": lambda: a @ b}, seconds)["product"]


def growths_mib(shape: Shape) -> dict[str, float | None]:
    """MiB that three steps of each contestant take above torch itself, on a CPU.

    To be called in a fresh process; each contestant is trained in a copy of it.
    """
    torch.optim.AdamW([torch.zeros(1)])  # the first one imports torch's compiler
    return {name: in_copy(_growth_mib, shape, name) for name in contestants(shape, "cpu")}


def _growth_mib(shape: Shape, name: str) -> float | None:
    def work() -> None:
        contestant = contestants(shape, "cpu")[name]()
        for _ in range(3):
            contestant.step()

    return growth_mib(work)
