"""What a budget is spent on, without a clock."""

import re

import pytest

from charrnn.errors import UsageError
from charrnn.plan.budget import (
    EXIT_S,
    LEAST_EVAL_CHARS,
    UNMEASURED,
    WARM_UP,
    Speeds,
    plan_ending,
    seconds_for_steps,
    steps_in_time,
)

FAST = Speeds(step_s=0.01, eval_chars_per_s=1e6, judged_chars_per_s=3e4)


def test_without_a_budget_everything_is_read_at_the_end() -> None:
    ending = plan_ending(None, 100_000, UNMEASURED)
    assert (ending.final_chars, ending.precision_chars, ending.seconds) == (100_000, 32_768, 0.0)


def test_the_final_evaluation_takes_its_share_and_no_more() -> None:
    short, long = plan_ending(10, 10**6, FAST), plan_ending(1000, 10**6, FAST)
    assert short.final_chars == int(0.06 * 10 * 1e6 / 2.5)
    judging_s = (short.precision_chars + WARM_UP) / 3e4
    assert short.seconds == pytest.approx(0.06 * 10 + judging_s)
    assert long.final_chars == 10**6
    assert short.precision_chars == LEAST_EVAL_CHARS < long.precision_chars


def test_precisions_that_take_too_long_are_not_judged() -> None:
    slow = Speeds(step_s=0.01, eval_chars_per_s=1e6, judged_chars_per_s=1e4)
    least_s = (LEAST_EVAL_CHARS + WARM_UP) / 1e4
    assert plan_ending(9 * least_s, 10**6, slow).precision_chars == 0
    assert plan_ending(11 * least_s, 10**6, slow).precision_chars == LEAST_EVAL_CHARS


def test_steps_get_what_evaluations_and_the_end_leave() -> None:
    ending_s = plan_ending(100, 10**6, FAST).seconds
    left_s = seconds_for_steps(100, 2.0, 10**6, FAST)
    assert left_s == pytest.approx(100 - 2 - 3 - ending_s - EXIT_S)
    assert steps_in_time(100, 2.0, 10**6, FAST, most_steps=10**9) == int(left_s / 0.01)
    assert steps_in_time(100, 2.0, 10**6, FAST, most_steps=77) == 77


@pytest.mark.parametrize(
    ("budget_s", "step_s"), [(1, 0.01), (10, 1.5), (5, 12.0), (60, 300.0), (10, 4000.0)]
)
def test_a_budget_that_is_too_short_is_refused_with_one_that_is_enough(
    budget_s: float, step_s: float
) -> None:
    speeds = Speeds(step_s, eval_chars_per_s=1e5, judged_chars_per_s=3e4)
    with pytest.raises(UsageError, match=rf"`budget` {budget_s}s is too short: ") as refused:
        steps_in_time(budget_s, 1.5, 10**6, speeds, most_steps=10**9)
    [number, unit] = re.findall(r"give `budget` (\d+)([smh])", str(refused.value))[0]
    enough_s = int(number) * {"s": 1, "m": 60, "h": 3600}[unit]
    steps = steps_in_time(enough_s, 1.5, 10**6, speeds, most_steps=10**9)
    assert steps >= 10
    assert enough_s < 2 * (1.5 + 10 * step_s + 3) or unit == "h"


def test_fewer_than_ten_steps_are_enough_where_there_is_no_more_to_do() -> None:
    speeds = Speeds(1.0, eval_chars_per_s=1e6, judged_chars_per_s=1e6)
    assert steps_in_time(9, 1.0, 1000, speeds, most_steps=3) == 3
    with pytest.raises(UsageError, match="3 training steps"):
        steps_in_time(3, 1.0, 1000, speeds, most_steps=3)
