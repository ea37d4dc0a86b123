"""Cells side by side: on which terms they are compared, and what came of it. No torch.

In the spirit of Chung et al. 2014 ("Empirical evaluation of gated recurrent neural networks on
sequence modeling"): all read the same text with about the same number of parameters, and all else
is equal too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from charrnn.comparison.curves import Curve, Point
from charrnn.plan.plan import Plan


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
