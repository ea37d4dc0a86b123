"""How much longer the steps of a run took than they do undisturbed, told from its reports.

Another program that needs the same CPUs holds a run up, and so does a processor that has become
hot. It comes and goes, so the fastest parts of a run say what its steps take undisturbed. No torch.
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from charrnn.runs.events import StepReport
from charrnn.runs.metrics import Metric

SLOWED = 1.2
"""A run whose steps took at least this many times as long as undisturbed was slowed.

With a budget of time it then makes a sixth fewer steps, which costs about as much as another seed
does. On two quiet cores steps took up to 1.13 times as long, beside another training 1.2 to 1.7.
"""
PART_S = 0.25
"""Seconds of training, at least, whose mean speed counts as one: single steps vary by chance."""
FEWEST_PARTS = 12
"""A run with fewer parts is too short to tell who slowed it."""
UNDISTURBED_SHARE = 0.1
"""Fraction of a run's parts that are faster than what counts as undisturbed."""


class StepTimes(NamedTuple):
    """What the steps of a run took, in seconds each."""

    mean_s: float
    """Mean over the run, evaluations and saves left out."""
    undisturbed_s: float
    """What they take in the fastest parts of the run."""


class _Part(NamedTuple):
    steps: int
    seconds: float


def step_times(reports: Iterable[Metric], step_characters: int) -> StepTimes | None:
    """What steps of so many characters took in a run; None if it was too short to tell."""
    parts = list(_parts(reports, step_characters))
    if len(parts) < FEWEST_PARTS:
        return None
    from_fastest = sorted(part.seconds / part.steps for part in parts)
    mean_s = sum(part.seconds for part in parts) / sum(part.steps for part in parts)
    return StepTimes(mean_s, from_fastest[math.floor(UNDISTURBED_SHARE * len(parts))])


def _parts(reports: Iterable[Metric], step_characters: int) -> Iterator[_Part]:
    """The parts of a run, without the reports whose time holds something else than steps."""
    steps, seconds = 0, 0.0
    step_before = 0
    is_pure = True
    for report in reports:
        if not isinstance(report, StepReport):  # the time of the next report has this in it
            is_pure = False
        elif not is_pure or report.step <= step_before or report.chars_per_s <= 0:
            step_before, is_pure = report.step, True
        else:
            new_steps = report.step - step_before
            steps += new_steps
            seconds += new_steps * step_characters / report.chars_per_s
            step_before = report.step
            if seconds >= PART_S:
                yield _Part(steps, seconds)
                steps, seconds = 0, 0.0
