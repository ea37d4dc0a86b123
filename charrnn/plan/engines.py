"""Names of the engines, the cells that each of them runs, and the threads that pay in training.

An engine is code that runs the recurrent layers of a model. No torch.
"""

from typing import Literal, get_args

from charrnn.cpus import usable_cpus
from charrnn.errors import UsageError
from charrnn.model.cells import CELLS, CellName

EngineName = Literal["native", "torch", "reference"]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)

ENGINE_CELLS: dict[EngineName, tuple[CellName, ...]] = {
    engine: tuple(name for name, cell in CELLS.items() if engine in ("reference", *cell.kernels))
    for engine in ENGINE_NAMES
}
"""Names of the cells that each engine runs, by the engine's name. CELLS says for which cells an
engine has kernels; the reference needs none and runs every cell."""


def check_engine(
    cell: CellName, engine: str | None, precision: str | None, device: str | None
) -> None:
    """Raise UsageError if no engine runs `cell` with the engine, precision and device asked for.

    None stands for what the user leaves open.
    """
    able = [name for name, cells in ENGINE_CELLS.items() if cell in cells]
    if engine is not None and engine not in able:
        raise UsageError(f"`engine` {engine}: `cell` {cell} runs on {' and '.join(able)} only")
    if precision == "bf16" and able == ["reference"]:
        raise UsageError(f"`precision` bf16: `cell` {cell} runs on reference only, which has fp32")
    if precision == "bf16" and engine == "reference":
        raise UsageError("`precision` bf16: `engine` reference has fp32 only")
    if engine == "native" and device not in (None, "cpu"):
        raise UsageError(f"`engine` native: it runs on the cpu, not on `device` {device}")


def training_threads(cell: CellName, engine: str | None = None) -> int:
    """The number of CPU threads that train `cell` fastest on `engine`; None: on any engine.

    That is 1 on the reference engine and the number of CPUs on any other. The reference multiplies
    small matrices step by step, and threads that meet after each product cost more than they save:
    two threads took 1.3 times as long as one (128 units), and 3 times as long beside another
    program.
    """
    if engine == "reference" or cell not in ENGINE_CELLS["torch"]:
        return 1
    return usable_cpus()
