"""Learning curves: a run's evaluations against the characters and the seconds they took.

Curves of different runs are comparable where their evaluations read the same characters.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from charrnn.files.run_folder import RunFolder
from charrnn.plan.plan import Plan
from charrnn.runs.events import EvalReport, RolledBack, StepReport
from charrnn.runs.metrics import Metrics


@dataclass(frozen=True)
class Point:
    """One evaluation during training."""

    step: int
    """Training steps done so far."""
    characters: int
    """Characters read in training so far."""
    seconds: float
    """Seconds since the run began."""
    nats: float
    """Nats per character of the validation split."""


@dataclass(frozen=True)
class Curve:
    """What the metrics of one run tell."""

    name: str
    """What the curve is called where it is drawn."""
    points: tuple[Point, ...] = ()
    """The evaluations in the order of their steps; empty before the first one."""
    exact_nats: float | None = None
    """Nats per character of the best model in the final evaluation; None until the run is over."""
    step_s: float | None = None
    """Median seconds of a training step; None before the first report."""
    lr_scale: float = 1.0
    """What the plan's learning rate was multiplied by in the end; below 1 if training diverged."""

    @property
    def best_nats(self) -> float | None:
        """Nats per character of the best model: the exact figure, or the best estimate so far."""
        if self.exact_nats is not None:
            return self.exact_nats
        return min((point.nats for point in self.points), default=None)

    def at_characters(self, characters: float) -> float | None:
        """Nats per character after so many characters; None if the curve does not reach there."""
        return self._at(lambda point: point.characters, characters)

    def at_seconds(self, seconds: float) -> float | None:
        """Nats per character after so many seconds; None if the curve does not reach there."""
        return self._at(lambda point: point.seconds, seconds)

    def _at(self, place_of: Callable[[Point], float], place: float) -> float | None:
        """The nats at `place`: between two evaluations a straight line over its logarithm."""
        places = [place_of(point) for point in self.points]
        if not places or not places[0] <= place <= places[-1]:
            return None
        right = next(i for i, other in enumerate(places) if place <= other)
        if places[right] == place:
            return self.points[right].nats
        before, behind = self.points[right - 1], self.points[right]
        share = math.log(place / places[right - 1]) / math.log(places[right] / places[right - 1])
        return before.nats + share * (behind.nats - before.nats)


def read_curve(folder: RunFolder, name: str) -> Curve:
    """The curve of the run in `folder`, as far as it has come, called `name`.

    Each step counts as a full window, also where records are shorter than that. Raises RunError if
    the run's files cannot be read, NewerFormatError if a later charrnn wrote them.
    """
    plan = Plan.read(folder.plan)
    step_chars = plan.step.batch_size * plan.step.seq_len
    reports = Metrics(folder.metrics).read()
    evaluations = [report for report in reports if isinstance(report, EvalReport)]
    speeds = [report.chars_per_s for report in reports if isinstance(report, StepReport)]
    rollbacks = [report.lr_scale for report in reports if isinstance(report, RolledBack)]
    return Curve(
        name=name,
        points=tuple(
            Point(report.step, report.step * step_chars, report.elapsed_s, report.val_nats)
            for report in evaluations
            if not report.carried
        ),
        exact_nats=next((report.val_nats for report in evaluations if report.carried), None),
        step_s=step_chars / statistics.median(speeds) if speeds else None,
        lr_scale=rollbacks[-1] if rollbacks else 1.0,
    )
