"""Learning curves: the evaluations of a run against the characters and seconds of training.

The curves of two runs can be compared where their evaluations read the same validation characters.
No torch.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from charrnn.comparison.slowdown import StepTimes, step_times
from charrnn.files.run_folder import RunFolder
from charrnn.plan.plan import Plan
from charrnn.runs.events import EvalReport, RolledBack, StepReport
from charrnn.runs.metrics import Metrics


@dataclass(frozen=True)
class CurvePoint:
    """One evaluation that a run made while it trained."""

    step: int
    """Optimizer steps before the evaluation."""
    characters: int
    """Training characters that had been read before the evaluation."""
    seconds: float
    """Seconds from the beginning of the run to the evaluation."""
    nats: float
    """Nats per validation character."""


@dataclass(frozen=True)
class LearningCurve:
    """The evaluations of one run, and what else its metrics say of its training."""

    name: str
    """What the curve is called in tables and legends."""
    points: tuple[CurvePoint, ...] = ()
    """The evaluations in the order of their steps; empty before the first evaluation."""
    exact_nats: float | None = None
    """Nats per validation character of the best model, the state carried from the first character
    to the last; None until the run has finished."""
    step_s: float | None = None
    """Median time of a training step, in seconds; None before the first report."""
    step_times: StepTimes | None = None
    """What the steps took, disturbed and undisturbed; None where the run is too short to tell."""
    lr_scale: float = 1.0
    """Factor that the learning rate was left with by divergence; 1 if training never diverged."""

    @property
    def best_nats(self) -> float | None:
        """Nats per validation character of the best model.

        That is `exact_nats`, and until the run has finished the lowest evaluation so far; None
        before the first evaluation.
        """
        if self.exact_nats is not None:
            return self.exact_nats
        return min((point.nats for point in self.points), default=None)

    def at_characters(self, characters: float) -> float | None:
        """Nats per validation character after `characters` characters of training.

        None if the curve begins later or ends earlier.
        """
        return self._interpolated(lambda point: point.characters, characters)

    def at_seconds(self, seconds: float) -> float | None:
        """Nats per validation character after `seconds` seconds of training.

        None if the curve begins later or ends earlier.
        """
        return self._interpolated(lambda point: point.seconds, seconds)

    def _interpolated(self, position_of: Callable[[CurvePoint], float], at: float) -> float | None:
        """Nats per validation character at the position `at` of an axis.

        `position_of` says where on the axis a point lies. Between two points the curve is a
        straight line over the logarithm of the axis, as loss falls about evenly with it.
        """
        positions = [position_of(point) for point in self.points]
        if not positions or not positions[0] <= at <= positions[-1]:
            return None
        right = next(i for i, position in enumerate(positions) if at <= position)
        if positions[right] == at:
            return self.points[right].nats
        before, behind = positions[right - 1], positions[right]
        fraction = math.log(at / before) / math.log(behind / before)
        nats_before, nats_behind = self.points[right - 1].nats, self.points[right].nats
        return nats_before + fraction * (nats_behind - nats_before)


def read_learning_curve(folder: RunFolder, name: str) -> LearningCurve:
    """The learning curve of the run in `folder`, called `name`, as far as the run has come.

    Where the text is made of records, whose lengths differ, each step counts as a full window of
    every stream. Raises RunError if a file of the run cannot be read, NewerFormatError if a later
    charrnn wrote it.
    """
    plan = Plan.read(folder.plan)
    step_chars = plan.step.batch_size * plan.step.seq_len
    reports = Metrics(folder.metrics).read()
    evaluations = [report for report in reports if isinstance(report, EvalReport)]
    speeds = [report.chars_per_s for report in reports if isinstance(report, StepReport)]
    rollbacks = [report.lr_scale for report in reports if isinstance(report, RolledBack)]
    return LearningCurve(
        name=name,
        points=tuple(
            CurvePoint(report.step, report.step * step_chars, report.elapsed_s, report.val_nats)
            for report in evaluations
            if not report.carried
        ),
        exact_nats=next((report.val_nats for report in evaluations if report.carried), None),
        step_s=step_chars / statistics.median(speeds) if speeds else None,
        step_times=step_times(reports, step_chars),
        lr_scale=rollbacks[-1] if rollbacks else 1.0,
    )
