"""When a run without a terminal should write its next line: seldom, by the clock of its events."""

LEAST_GAP_S = 5.0
"""Seconds between two lines, at least."""
GROWTH = 0.5
"""A line comes when this fraction of the time up to the last one has passed since then."""
MOST_SHARES = 20
"""A line comes also, in a long run, when one of so many equal shares of it is done."""


class ProgressLines:
    """Says when the next line is due; times are seconds as in the events of the run.

    At first lines are LEAST_GAP_S apart, then ever further. A run of three minutes writes about
    fifteen of them, a run of a day about forty.
    """

    def __init__(self, step: int, elapsed_s: float) -> None:
        """A run goes on from `step` after `elapsed_s` seconds."""
        self._started_s = elapsed_s
        self._last = (step, elapsed_s)

    def is_due(self, step: int, steps: int, elapsed_s: float) -> bool:
        """Whether a line should come after `step` of `steps`."""
        last_step, last_s = self._last
        gap_s = elapsed_s - last_s
        has_grown = gap_s >= GROWTH * (last_s - self._started_s)
        is_share = (step - last_step) * MOST_SHARES >= steps
        return gap_s >= LEAST_GAP_S and (has_grown or is_share)

    def is_apart(self, elapsed_s: float) -> bool:
        """Whether a line that has more to say than others may come already."""
        return elapsed_s - self._last[1] >= LEAST_GAP_S

    def written(self, step: int, elapsed_s: float) -> None:
        """Count the time to the next line from here on."""
        self._last = (step, elapsed_s)
