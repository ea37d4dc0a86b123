"""Cells side by side: on which terms they are compared, and what came of it. No torch.

In the spirit of Chung et al. 2014 ("Empirical evaluation of gated recurrent neural networks on
sequence modeling"): all read the same text with about the same number of parameters, and all else
is equal too.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from charrnn.errors import UsageError
from charrnn.model.cells import CELLS
from charrnn.model.config import ModelConfig
from charrnn.training.curves import Curve, Point
from charrnn.training.plan import Plan, TrainingRequest
from charrnn.training.terms import PARAMETERS

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
            replace(self.shared, cell=cell)  # raises where what was asked for cannot run it
        if self.shared.cell is not None or self.shared.init_from is not None:
            raise UsageError("a comparison takes cells, not one cell, and draws their weights")
        if self.parameters is not None and self.shared.hidden_size is not None:
            raise UsageError("--parameters and --hidden-size both say how large: give one")
        if self.parameters is not None and self.parameters < 1:
            raise UsageError(f"--parameters {self.parameters}: must be 1 or more")

    def training(self, cell: str, vocab_size: int) -> TrainingRequest:
        """The request of one cell's run; raises UsageError if the parameters are too few for it."""
        request = replace(self.shared, cell=cell)
        if request.hidden_size is None:
            parameters = PARAMETERS if self.parameters is None else self.parameters
            width = nearest_width(request.model_config(vocab_size), parameters)
            request = replace(request, hidden_size=width)
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


@dataclass(frozen=True)
class CellResult:
    """One cell's run and what it learned."""

    cell: str
    run: str
    """The run's name."""
    plan: Plan
    curve: Curve
    ended: str
    """A reason of events.RunFinished, or `failed`."""
    error: str | None = None
    """Why it failed."""

    @property
    def num_parameters(self) -> int:
        """How many numbers the model learns."""
        return self.plan.model.num_parameters()


@dataclass(frozen=True)
class Comparison:
    """The runs, the best first; those that failed, last."""

    name: str
    """What the names of the runs begin with."""
    results: tuple[CellResult, ...]
    not_trained: tuple[str, ...]
    """Cells whose turn never came."""

    @classmethod
    def of(
        cls, name: str, results: Sequence[CellResult], not_trained: Sequence[str]
    ) -> "Comparison":
        """Put the results in order."""

        def place(result: CellResult) -> tuple[bool, bool, float]:
            nats = result.curve.best_nats
            return result.error is not None, nats is None, nats or 0.0

        return cls(name, tuple(sorted(results, key=place)), tuple(not_trained))

    @property
    def curves(self) -> list[Curve]:
        """Those that have begun."""
        return [result.curve for result in self.results if result.curve.points]

    @property
    def equal_characters(self) -> int | None:
        """The fewest that any cell has read, but for those that failed."""
        return min((points[-1].characters for points in self._whole()), default=None)

    @property
    def equal_seconds(self) -> float | None:
        """The shortest that any cell has trained, but for those that failed."""
        return min((points[-1].seconds for points in self._whole()), default=None)

    def _whole(self) -> list[tuple[Point, ...]]:
        return [r.curve.points for r in self.results if r.error is None and r.curve.points]
