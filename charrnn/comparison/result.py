"""What a comparison of cells found: the run of each cell, and its learning curve. No torch.

A comparison follows Chung et al. 2014 ("Empirical evaluation of gated recurrent neural networks
on sequence modeling"): every cell reads the same text with about the same number of parameters,
and all other settings are equal too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from charrnn.comparison.curves import CurvePoint, LearningCurve
from charrnn.comparison.slowdown import SLOWED
from charrnn.plan.plan import Plan


@dataclass(frozen=True)
class CellResult:
    """The run of one cell, and what it learned."""

    cell: str
    """Name of the cell, such as `gru`."""
    run: str
    """Name of the run, which is that of its folder in checkpoints/."""
    plan: Plan
    """Everything that the run was to do."""
    curve: LearningCurve
    """The evaluations that the run made, as many as it came to."""
    ended: str
    """Why the run ended: a reason of runs.events.RunFinished, or `failed`."""
    measured_step_s: float
    """Seconds of a training step when all cells were measured in turn, before the first run."""
    error: str | None = None
    """The line that says why the run failed; None if it did not fail."""

    @property
    def num_parameters(self) -> int:
        """How many numbers the cell's model learns."""
        return self.plan.model.num_parameters()

    @property
    def slowdown(self) -> float:
        """How many times as long as undisturbed the steps took; 1 where that cannot be told."""
        times = self.curve.step_times
        if times is None:
            return 1.0
        return times.mean_s / min(times.undisturbed_s, self.measured_step_s)

    @property
    def is_slowed(self) -> bool:
        """Whether something else on the machine slowed the run."""
        return self.slowdown >= SLOWED

    @property
    def is_ranked(self) -> bool:
        """Whether the run can be compared with the others: it learned, and had what they had.

        A run that was slowed had less of a budget of time than the others. Where steps are given
        it had the same, and only took longer.
        """
        has_learned = self.error is None and self.curve.best_nats is not None
        return has_learned and not (self.is_slowed and self.plan.budget_s is not None)


@dataclass(frozen=True)
class ComparisonResult:
    """The results of all cells of a comparison."""

    name: str
    """What the names of the runs begin with, before a dash and the cell's name."""
    results: tuple[CellResult, ...]
    """The result of every cell that was trained: the best first, then those that are not ranked,
    and those that failed last."""
    not_trained: tuple[str, ...]
    """Names of the cells that were not trained, because the comparison was interrupted before."""

    @classmethod
    def ranked(
        cls, name: str, results: Sequence[CellResult], not_trained: Sequence[str]
    ) -> "ComparisonResult":
        """Make a ComparisonResult of results in any order."""

        def rank(result: CellResult) -> tuple[bool, bool, bool, float]:
            nats = result.curve.best_nats
            return result.error is not None, nats is None, not result.is_ranked, nats or 0.0

        return cls(name, tuple(sorted(results, key=rank)), tuple(not_trained))

    @property
    def curves(self) -> list[LearningCurve]:
        """The learning curves that have at least one evaluation, the best cell's first."""
        return [result.curve for result in self.results if result.curve.points]

    @property
    def equal_characters(self) -> int | None:
        """Training characters that every cell that is ranked has read.

        None if no cell has been evaluated.
        """
        return min((points[-1].characters for points in self._comparable_points()), default=None)

    @property
    def equal_seconds(self) -> float | None:
        """Seconds that every cell that is ranked has trained.

        None if no cell has been evaluated.
        """
        return min((points[-1].seconds for points in self._comparable_points()), default=None)

    def _comparable_points(self) -> list[tuple[CurvePoint, ...]]:
        """The evaluations of every cell that is ranked; of all that learned if none is."""
        learned = [r for r in self.results if r.error is None and r.curve.points]
        ranked = [r for r in learned if r.is_ranked]
        return [result.curve.points for result in ranked or learned]
