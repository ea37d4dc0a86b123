"""Keeping a run to its budget of time: how many steps it still has, and when it must stop."""

from charrnn.plan.plan import Plan

DEADLINE_SLACK = 0.04
"""Fraction of the budget by which a run that turned out slower than calibrated may go over."""
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
        self._most_steps = plan.most_steps
        self._check_every = max(1, plan.run.steps // PACE_CHECKS)
        self._measured_from = (0, 0.0)

    def begin(self, step: int, elapsed_s: float) -> None:
        """Measure the pace from here on: `step` steps are done after `elapsed_s` seconds."""
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
        first_step, first_s = self._measured_from
        step_s = (elapsed_s - first_s) / (step - first_step)
        left = max(1, int((self._budget_s - self._final_s - elapsed_s) / step_s))
        steps = min(step + left, self._most_steps or planned)
        if abs(steps - planned) <= DRIFT * (planned - step):
            return None
        self.begin(step, elapsed_s)
        return steps

    def is_over(self, step: int, elapsed_s: float) -> bool:
        """Whether the budget leaves no time for another step; the first step is always taken."""
        if self._budget_s is None or step == 0:
            return False
        return elapsed_s > self._budget_s * (1 + DEADLINE_SLACK) - self._final_s
