"""Events that tell how far the reading of a text has come. Nothing here prints them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Progress:
    """How far one task over the bytes of a text has come."""

    task: str
    """What is being done, such as `counting`."""
    done: int
    """How many bytes are done since the task began."""
    before: int
    """How many bytes were done when the task began, by a download that was interrupted."""
    total: int | None
    """How many bytes there are altogether; None where nobody knows."""
    elapsed_s: float
    """Seconds since the task began."""
    finished: bool
    """Whether the task is over."""


@dataclass(frozen=True)
class Note:
    """A sentence that the user should read at once."""

    text: str


PATIENCE_S = 1.0
"""Seconds that a task may take without an event."""
CADENCE_S = 0.1
"""Seconds between two events of one task, at least."""

Report: TypeAlias = Callable[[Progress | Note], None]
"""Who is told: called with every event."""


def silent(event: object) -> None:
    """A `Report` that ignores every event."""


class Meter:
    """Counts the bytes of one task, and reports them if it takes longer than PATIENCE_S."""

    def __init__(self, task: str, total: int | None, report: Report, before: int = 0) -> None:
        self._task = task
        self._total = total
        self._report = report
        self._before = before
        self._done = 0
        self._started = time.monotonic()
        self._reported = self._started + PATIENCE_S - CADENCE_S

    def advance(self, count: int) -> None:
        """Add `count` bytes to those that are done."""
        self._done += count
        now = time.monotonic()
        if now - self._reported > CADENCE_S:
            self._reported = now
            self._tell(now, finished=False)

    def finish(self) -> None:
        """End the task, however many bytes are done."""
        now = time.monotonic()
        if now - self._started > PATIENCE_S:
            self._tell(now, finished=True)

    def _tell(self, now: float, *, finished: bool) -> None:
        elapsed = now - self._started
        self._report(Progress(self._task, self._done, self._before, self._total, elapsed, finished))
