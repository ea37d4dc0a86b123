"""Which engine, at which precision, with how many threads. No torch here."""

import os
from typing import Literal, get_args

from charrnn.errors import UsageError
from charrnn.model.cells import CELLS, CellName

EngineName = Literal["native", "torch", "reference"]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)

ENGINE_CELLS: dict[EngineName, tuple[CellName, ...]] = {
    "native": ("rnn", "gru", "lstm"),
    "torch": ("rnn", "gru", "lstm", "irnn"),
    "reference": tuple(CELLS),
}
"""The cells that each engine runs; the native sampler has the native engine's."""

Precision = Literal["fp32", "bf16"]
"""Of the matrix products; weights, gradients, carried states and sums are always float32."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

SamplingPrecision = Literal["fp32", "bf16", "int8"]
"""Of the weights in sampling. bf16 rounds them; int8 rounds h too, and sums exactly."""
SAMPLING_PRECISIONS: tuple[SamplingPrecision, ...] = get_args(SamplingPrecision)
"""The exact one first, the fastest last."""


def check_cell(cell: CellName, engine: str | None, precision: str | None) -> None:
    """Raise UsageError if `engine` (None: any) does not run `cell`, or none that does has bf16."""
    able = [name for name, cells in ENGINE_CELLS.items() if cell in cells]
    if engine is not None and engine not in able:
        raise UsageError(f"--engine {engine}: --cell {cell} runs on {' and '.join(able)} only")
    if precision == "bf16" and able == ["reference"]:
        raise UsageError(f"--precision bf16: --cell {cell} runs on reference only, which has fp32")


def default_threads() -> int:
    """The CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def training_threads(cell: CellName, engine: str | None = None) -> int:
    """The threads that pay in training on `engine`, None for any: one on the reference.

    A step's products are too small to share; for meeting at each of them, two threads took 1.3
    times as long as one (128 units), and 3 times beside another program.
    """
    if engine == "reference" or cell not in ENGINE_CELLS["torch"]:
        return 1
    return default_threads()
