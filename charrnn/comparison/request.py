"""What a user asks of a comparison: which cells, and how large each one's model is."""

from bisect import bisect_left
from dataclasses import dataclass, replace

from charrnn.comparison.shared_defaults import PARAMETERS_PER_CELL
from charrnn.errors import UsageError
from charrnn.model.cells import CELLS
from charrnn.model.config import ModelConfig
from charrnn.plan.request import TrainingRequest
from charrnn.words import counted

MAX_HIDDEN_SIZE = 65536
"""Largest hidden size that a comparison gives to a cell; no model can have a larger one."""


NOT_OF_COMPARISONS = ("cell", "preset", "init_from")
"""Training options that a comparison does not take: each of them says which cell is trained."""


@dataclass(frozen=True)
class ComparisonRequest:
    """The cells to compare and the training that they share.

    Raises UsageError for cells that are unknown or named twice, and for options that cannot hold
    for every cell.
    """

    cells: tuple[str, ...]
    """Names of the cells, in the order of their training."""
    shared: TrainingRequest
    """The training options that every cell's run has."""
    parameters: int | None = None
    """Parameters that each cell's model has, about. None: PARAMETERS_PER_CELL, unless `shared` has
    a hidden size, which then every cell gets."""

    def __post_init__(self) -> None:
        if not self.cells:
            raise UsageError(f"`cells`: name some of {', '.join(CELLS)}")
        for cell in self.cells:
            if cell not in CELLS:
                raise UsageError(f"`cells`: no cell {cell!r}; there are {', '.join(CELLS)}")
            if self.cells.count(cell) > 1:
                raise UsageError(f"`cells`: {cell} is there twice")
            self.shared.with_options(cell=cell)  # raises where what was asked for cannot run it
        if self.shared.given.keys() & set(NOT_OF_COMPARISONS):
            raise UsageError(
                "`cell`, `preset` and `init_from` have no meaning in a comparison, which takes "
                "`cells` and draws the weights of each: leave them out"
            )
        if self.parameters is not None and "hidden_size" in self.shared.given:
            raise UsageError("`parameters` and `hidden_size` both say how large: give one")
        if self.parameters is not None and self.parameters < 1:
            raise UsageError(f"`parameters` {self.parameters}: must be 1 or more")

    def cell_request(self, cell: str, vocab_size: int) -> TrainingRequest:
        """What is asked of the run of one cell, on a text with `vocab_size` distinct characters.

        Raises UsageError if the cell's model cannot have about as many parameters as asked.
        """
        request = self.shared.with_options(cell=cell)
        if "hidden_size" not in request.given:
            parameters = PARAMETERS_PER_CELL if self.parameters is None else self.parameters
            hidden_size = nearest_hidden_size(request.model_config(vocab_size), parameters)
            request = request.with_options(hidden_size=hidden_size)
        return request


def nearest_hidden_size(model: ModelConfig, parameters: int) -> int:
    """The hidden size with which `model` comes nearest to having `parameters` parameters.

    Raises UsageError if that model has more than twice or less than half of them.
    """

    def count(hidden_size: int) -> int:
        return replace(model, hidden_size=hidden_size).num_parameters()

    sizes = range(1, MAX_HIDDEN_SIZE + 1)
    larger = sizes[min(bisect_left(sizes, parameters, key=count), MAX_HIDDEN_SIZE - 1)]
    nearest = min((max(1, larger - 1), larger), key=lambda size: abs(count(size) - parameters))
    if not parameters / 2 <= count(nearest) <= 2 * parameters:
        raise UsageError(
            f"`parameters` {parameters}: {model.cell} with {counted(nearest, 'unit')} has "
            f"{counted(count(nearest), 'parameter')} for a text of "
            f"{model.vocab_size} distinct characters; give another number"
        )
    return nearest
