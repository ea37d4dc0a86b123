"""Keeping a run to its budget of time: how many steps it still has, and when it must stop."""

from charrnn.plan.budget import EXIT_S
from charrnn.plan.plan import Plan

DEADLINE_SLACK = 0.02
"""Fraction of the budget by which a run that turned out slower than calibrated may go over."""
LEAST_FINAL_SHARE = 0.3
"""Fraction of the final evaluation that is made however late it is: less would say little."""
PACE_CHECKS = 40
"""How often in a run its pace is compared with its budget."""
DRIFT = 0.08
"""A run whose remaining steps would differ by no more than this fraction keeps to its plan."""


class Pace:
    """How fast a run takes its steps, and what that means for its budget, if it has one.

    Times are seconds since the run began, over all its sessions.
    """

    def __init__(self, plan: Plan) -> None:
        self._budget_s = plan.budget_s
        self._final_s = plan.final_s
        self._end_s = 0.0 if plan.budget_s is None else plan.budget_s - plan.final_s - EXIT_S
        self._planned_steps = plan.run.steps
        self._most_steps = plan.most_steps
        self._check_every = max(1, plan.run.steps // PACE_CHECKS)
        self._measured_from = (0, 0.0)
        self._planned_step_s: float | None = None
        self._step_s = 0.0

    def begin(self, step: int, elapsed_s: float) -> None:
        """Measure the pace from here on: `step` steps are done after `elapsed_s` seconds."""
        if self._planned_step_s is None and self._budget_s is not None:
            time_s = max(0.0, self._end_s - elapsed_s)
            self._planned_step_s = time_s / max(1, self._planned_steps - step)
        self._measured_from = (step, elapsed_s)

    def is_check_due(self, step: int) -> bool:
        """Whether the pace should be compared with the budget after `step` steps."""
        return step % self._check_every == 0

    def steps_that_fit(self, step: int, planned: int, elapsed_s: float) -> int | None:
        """The steps of the whole run that its budget holds at the pace so far.

        None if that is about what is `planned`, or if no budget decides; else the pace is measured
        anew from here on.
        """
        if self._budget_s is None or step >= planned:
            return None
        self._measure(step, elapsed_s)
        left = max(1, int((self._end_s - elapsed_s) / self._step_s))
        steps = min(step + left, self._most_steps or planned)
        if abs(steps - planned) <= DRIFT * (planned - step):
            return None
        self.begin(step, elapsed_s)
        return steps

    def is_over(self, step: int, elapsed_s: float) -> bool:
        """Whether the budget leaves no time for most of another step; the first is always taken."""
        if self._budget_s is None or step == 0:
            return False
        self._measure(step, elapsed_s)
        return elapsed_s + self._step_s / 2 > self._end_s + DEADLINE_SLACK * self._budget_s

    def final_share(self, elapsed_s: float) -> float:
        """How much of the final evaluation there is time for, as a fraction of what is planned.

        It takes as many times as long as planned as the steps did of late: what slows them, such as
        other programs, slows it too.
        """
        if self._budget_s is None or self._final_s == 0:
            return 1.0
        slower = 1.0
        if self._planned_step_s:
            slower = max(1.0, self._step_s / self._planned_step_s)
        left_s = self._budget_s * (1 + DEADLINE_SLACK) - EXIT_S - elapsed_s
        return min(1.0, max(LEAST_FINAL_SHARE, left_s / (self._final_s * slower)))

    def _measure(self, step: int, elapsed_s: float) -> None:
        """Take the mean time of the steps since the pace began to be measured, if there are any."""
        first_step, first_s = self._measured_from
        if step > first_step:
            self._step_s = (elapsed_s - first_s) / (step - first_step)
