"""Which engine, at which precision, with how many threads. No torch here."""

from typing import Literal, get_args

from charrnn.errors import UsageError
from charrnn.inference.threads import default_threads
from charrnn.model.cells import CELLS, CellName

EngineName = Literal["native", "torch", "reference"]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)

ENGINE_CELLS: dict[EngineName, tuple[CellName, ...]] = {
    engine: tuple(name for name, cell in CELLS.items() if engine in ("reference", *cell.kernels))
    for engine in ENGINE_NAMES
}
"""The cells that each engine runs, as CELLS tells it; the reference runs every cell."""


def check_engine(
    cell: CellName, engine: str | None, precision: str | None, device: str | None
) -> None:
    """Raise UsageError if no engine runs `cell` as asked; None leaves that choice open."""
    able = [name for name, cells in ENGINE_CELLS.items() if cell in cells]
    if engine is not None and engine not in able:
        raise UsageError(f"--engine {engine}: --cell {cell} runs on {' and '.join(able)} only")
    if precision == "bf16" and able == ["reference"]:
        raise UsageError(f"--precision bf16: --cell {cell} runs on reference only, which has fp32")
    if precision == "bf16" and engine == "reference":
        raise UsageError("--precision bf16: --engine reference has fp32 only")
    if engine == "native" and device not in (None, "cpu"):
        raise UsageError(f"--engine native: it runs on the cpu, not on --device {device}")


def training_threads(cell: CellName, engine: str | None = None) -> int:
    """The threads that pay in training on `engine`, None for any: one on the reference.

    A step's products are too small to share; for meeting at each of them, two threads took 1.3
    times as long as one (128 units), and 3 times beside another program.
    """
    if engine == "reference" or cell not in ENGINE_CELLS["torch"]:
        return 1
    return default_threads()
