"""What a run does with its budget, and when it counts as diverged, without a run."""

import math

import pytest

from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.text_config import TextConfig
from charrnn.model.config import ModelConfig
from charrnn.plan.budget import EXIT_S
from charrnn.plan.config import RunConfig, StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.plan import CorpusPlan, Plan
from charrnn.training.divergence import DivergedError, check_loss
from charrnn.training.pace import Pace


def pace(budget_s: float | None = 100.0, most_steps: int | None = 5000, steps: int = 1000) -> Pace:
    return Pace(
        Plan(
            corpus=CorpusPlan("text", ("text",), ("/text",), TextConfig(), "0", 999, SplitConfig()),
            model=ModelConfig(vocab_size=11),
            optimizer=OptimizerConfig(),
            step=StepConfig(),
            run=RunConfig(steps=steps, eval_every=10, eval_chars=5, report_every=2),
            final_chars=9,
            budget_s=budget_s,
            final_s=10.0,
            most_steps=most_steps,
        )
    )


def test_the_rest_of_the_budget_holds_as_many_steps_as_the_pace_allows() -> None:
    run = pace()
    run.begin(100, 20.0)
    # 200 steps took 40 s, 0.2 s each; 100 s - 10.3 s for the end - 60 s leave 29.7 s: 148 steps
    assert run.steps_that_fit(300, 1000, 60.0) == 448
    # from there on it takes 0.1 s each, and 19.7 s are left: 197 steps more
    assert run.steps_that_fit(400, 448, 70.0) == 597


def test_a_small_drift_changes_nothing() -> None:
    run = pace()
    run.begin(0, 0.0)
    assert run.steps_that_fit(500, 1000, 45.0) is None  # about as planned
    assert run.steps_that_fit(500, 1000, 47.0) == 954  # 500 + 42.7 / 0.094, more than 8% fewer
    run.begin(0, 0.0)
    assert run.steps_that_fit(500, 1000, 46.0) is None  # 500 + 43.7 / 0.092 = 975


def test_a_faster_run_grows_to_the_most_steps_and_a_late_one_takes_one_more() -> None:
    run = pace(most_steps=1200)
    run.begin(0, 0.0)
    assert run.steps_that_fit(500, 1000, 5.0) == 1200
    late = pace()
    late.begin(0, 0.0)
    assert late.steps_that_fit(500, 1000, 99.0) == 501


def test_without_a_budget_or_at_the_end_there_is_no_pace_to_keep() -> None:
    assert pace(budget_s=None).steps_that_fit(500, 1000, 9999.0) is None
    assert pace().steps_that_fit(1000, 1000, 9999.0) is None
    assert not pace(budget_s=None).is_over(500, 9999.0)


def test_a_run_is_over_a_little_after_its_budget_but_takes_one_step() -> None:
    run = pace()
    run.begin(0, 0.0)
    assert not run.is_over(500, 91.5)  # 100 s + 2% - 10.3 s for the end, less half a step
    assert run.is_over(500, 91.7)
    assert not pace().is_over(0, 500.0)


def test_a_step_that_would_mostly_lie_behind_the_end_is_not_taken() -> None:
    run = pace(steps=10)
    run.begin(0, 0.0)
    assert not run.is_over(7, 84.0)  # steps of 12 s: the eighth is half done at 90 s
    assert run.is_over(7, 87.5)  # steps of 12.5 s: the eighth would be half done at 93.8 s


def test_what_slowed_the_steps_shortens_the_final_evaluation_too() -> None:
    run = pace()
    run.begin(0, 0.0)  # 1000 steps in 89.7 s are planned
    assert run.is_over(500, 93.0)  # they took 0.186 s each
    left_s, slower = 102 - 93 - EXIT_S, 0.186 / 0.0897
    assert run.final_share(93.0) == pytest.approx(left_s / (10.0 * slower))
    assert run.final_share(120.0) == 0.3
    fast = pace()
    fast.begin(0, 0.0)
    assert fast.final_share(60.0) == 1.0
    assert pace(budget_s=None).final_share(9999.0) == 1.0


def test_the_pace_is_checked_forty_times_in_a_run_and_at_each_step_of_a_short_one() -> None:
    assert [step for step in range(1, 101) if pace().is_check_due(step)] == [25, 50, 75, 100]
    assert all(pace(steps=30).is_check_due(step) for step in range(1, 31))


@pytest.mark.parametrize("nats", [math.nan, math.inf, 2 * math.log(65) + 2.01])
def test_a_loss_that_no_first_step_has_is_divergence(nats: float) -> None:
    check_loss(2 * math.log(65) + 1.99, 65, best_nats=None)
    with pytest.raises(DivergedError):
        check_loss(nats, 65, best_nats=None)


def test_a_model_that_has_learned_does_not_do_worse_than_guessing() -> None:
    worse = math.log(65) + 0.51
    check_loss(worse, 65, best_nats=math.log(65) - 0.49)  # it has hardly learned yet
    with pytest.raises(DivergedError) as caught:
        check_loss(worse, 65, best_nats=math.log(65) - 0.51)
    assert caught.value.nats == worse
