"""What the time of a budget is spent on: steps, evaluations, and what follows the last step.

Plain arithmetic with the speeds that training/calibration.py measures.
"""

import math
from dataclasses import dataclass

from charrnn.errors import UsageError
from charrnn.inference.parallel_reading import CHUNK, STREAMS

LEAST_STEPS = 10
"""Steps that a budget holds, at least: fewer are no training."""
LEAST_EVAL_CHARS = 4096
"""Characters that an evaluation reads at least: fewer could not tell which model is the best, or
when to stop."""
EVALUATION_SHARE = 0.03
"""Fraction of a budget for all evaluations while the run trains."""
FINAL_SHARE = 0.06
"""Fraction of a budget for the final evaluation, at most."""
PRECISION_SHARE = 0.02
"""Fraction of a budget, about, for judging the sampling precisions at the end."""
MOST_PRECISION_SHARE = 0.1
"""Fraction of a budget beyond which the sampling precisions are not judged at all."""
PRECISION_CHARS = (4096, 32768)
"""Characters on which each sampling precision is judged, at least and at most; fewer only of a
shorter split."""
FINAL_READINGS = 2.5
"""How often a final evaluation reads its characters: until the states settle, and in windows."""
EXIT_S = 0.3
"""Seconds for saving the last files and leaving."""
WARM_UP = CHUNK * STREAMS
"""Characters that an estimate reads before those that it counts."""
SMALL_SHARE = 0.3
"""Fraction of a budget below which a smaller model would not make the budget long enough."""
MARGIN = 1.25
"""How many times what LEAST_STEPS and an evaluation take the smallest budget is that is named: when
they are measured again they may take longer."""


@dataclass(frozen=True)
class Speeds:
    """How fast the machine is with one model."""

    step_s: float
    """Seconds of one training step."""
    eval_chars_per_s: float
    """Characters of validation text that are read in a second, in parallel streams."""
    judged_chars_per_s: float
    """Characters that are read in a second by every sampling precision, one after another."""


UNMEASURED = Speeds(step_s=0.0, eval_chars_per_s=0.0, judged_chars_per_s=0.0)
"""The speeds of a run whose length no budget decides: nothing is reckoned from them."""


@dataclass(frozen=True)
class Ending:
    """What a run does after its last step."""

    final_chars: int
    """Characters of the validation split that the final evaluation reads."""
    precision_chars: int
    """Characters of the validation split on which each sampling precision is judged, about; 0:
    there is no time for that."""
    seconds: float
    """How long both take; 0 where no budget depends on it."""


def plan_ending(budget_s: float | None, validation: int, speeds: Speeds) -> Ending:
    """What a run does after its last step, on a validation split of so many characters.

    The final evaluation reads the whole split, or as much as its share of the budget allows.
    """
    least, most = (min(validation, chars) for chars in PRECISION_CHARS)
    if budget_s is None:
        return Ending(validation, most, 0.0)
    final_s = FINAL_READINGS * validation / speeds.eval_chars_per_s
    fraction = min(1.0, FINAL_SHARE * budget_s / final_s)
    affordable = int(PRECISION_SHARE * budget_s * speeds.judged_chars_per_s) - WARM_UP
    precision_chars = max(least, min(most, affordable))
    precision_s = (precision_chars + WARM_UP) / speeds.judged_chars_per_s
    if precision_s > MOST_PRECISION_SHARE * budget_s:
        precision_chars, precision_s = 0, 0.0
    final_chars = max(2, int(validation * fraction))
    return Ending(final_chars, precision_chars, fraction * final_s + precision_s)


def seconds_for_steps(budget_s: float, elapsed_s: float, validation: int, speeds: Speeds) -> float:
    """Seconds that a budget leaves for training steps, `elapsed_s` after the command began."""
    one_evaluation_s = min(validation, WARM_UP + LEAST_EVAL_CHARS) / speeds.eval_chars_per_s
    evaluations_s = max(EVALUATION_SHARE * budget_s, one_evaluation_s)
    ending_s = plan_ending(budget_s, validation, speeds).seconds
    return budget_s - elapsed_s - evaluations_s - ending_s - EXIT_S


def steps_in_time(
    budget_s: float, elapsed_s: float, validation: int, speeds: Speeds, most_steps: int
) -> int:
    """Steps that a budget holds, no more than `most_steps`.

    Raises UsageError, which names a budget that is long enough, if there is no time for LEAST_STEPS
    or for what there is to do.
    """
    least = min(LEAST_STEPS, most_steps)
    steps = int(seconds_for_steps(budget_s, elapsed_s, validation, speeds) / speeds.step_s)
    if steps >= least:
        return min(steps, most_steps)
    enough_s = budget_s
    while seconds_for_steps(enough_s, elapsed_s, validation, speeds) < least * speeds.step_s:
        enough_s *= 1.02
    enough = f"give `budget` {_in_words(MARGIN * enough_s)}"
    if least * speeds.step_s < SMALL_SHARE * enough_s:
        raise UsageError(
            f"`budget` {_in_words(budget_s)} is too short: to start, to measure and to evaluate "
            f"takes longer on this machine; {enough}"
        )
    raise UsageError(
        f"`budget` {_in_words(budget_s)} is too short: {least} training steps of this model and an "
        f"evaluation take longer on this machine; {enough}, or a smaller model, `batch_size` or "
        "`seq_len`"
    )


def _in_words(seconds: float) -> str:
    """`45s`, `3m` or `2h`: a time that a budget can be given as, rounded up."""
    for unit, length_s in (("s", 1), ("m", 60)):
        if seconds <= 120 * length_s:
            return f"{math.ceil(seconds / length_s)}{unit}"
    return f"{math.ceil(seconds / 3600)}h"
