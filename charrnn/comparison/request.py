"""Which cells are compared, at which size."""

from bisect import bisect_left
from dataclasses import dataclass, replace

from charrnn.comparison.shared_defaults import PARAMETERS
from charrnn.errors import UsageError
from charrnn.model.cells import CELLS
from charrnn.model.config import ModelConfig
from charrnn.plan.request import TrainingRequest

LARGEST_WIDTH = 65536


@dataclass(frozen=True)
class ComparisonRequest:
    """Which cells, of what size. Raises UsageError for what cannot be compared."""

    cells: tuple[str, ...]
    shared: TrainingRequest
    """What all have in common."""
    parameters: int | None = None
    """How many each has, about; None: PARAMETERS, unless `shared` has a hidden size for all."""

    def __post_init__(self) -> None:
        if not self.cells:
            raise UsageError(f"--cells: name some of {', '.join(CELLS)}")
        for cell in self.cells:
            if cell not in CELLS:
                raise UsageError(f"--cells: no cell {cell!r}; there are {', '.join(CELLS)}")
            if self.cells.count(cell) > 1:
                raise UsageError(f"--cells: {cell} is there twice")
            self.shared.with_options(cell=cell)  # raises where what was asked for cannot run it
        if self.shared.given.keys() & {"cell", "init_from"}:
            raise UsageError("a comparison takes cells, not one cell, and draws their weights")
        if self.parameters is not None and "hidden_size" in self.shared.given:
            raise UsageError("--parameters and --hidden-size both say how large: give one")
        if self.parameters is not None and self.parameters < 1:
            raise UsageError(f"--parameters {self.parameters}: must be 1 or more")

    def training(self, cell: str, vocab_size: int) -> TrainingRequest:
        """The request of one cell's run; raises UsageError if the parameters are too few for it."""
        request = self.shared.with_options(cell=cell)
        if "hidden_size" not in request.given:
            parameters = PARAMETERS if self.parameters is None else self.parameters
            width = nearest_width(request.model_config(vocab_size), parameters)
            request = request.with_options(hidden_size=width)
        return request


def nearest_width(model: ModelConfig, parameters: int) -> int:
    """The hidden size with which `model` comes nearest to so many parameters.

    Raises UsageError if even the smallest has twice as many, or the largest not half.
    """

    def count(width: int) -> int:
        return replace(model, hidden_size=width).num_parameters()

    widths = range(1, LARGEST_WIDTH + 1)
    wider = widths[min(bisect_left(widths, parameters, key=count), LARGEST_WIDTH - 1)]
    nearest = min((max(1, wider - 1), wider), key=lambda width: abs(count(width) - parameters))
    if not parameters / 2 <= count(nearest) <= 2 * parameters:
        raise UsageError(
            f"--parameters {parameters}: {model.cell} with {nearest} units has {count(nearest):,} "
            f"for a text of {model.vocab_size} characters; give another number"
        )
    return nearest
