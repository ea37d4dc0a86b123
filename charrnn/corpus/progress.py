"""What reading or fetching a text tells while it takes its time, as frozen records."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Progress:
    """How far a task over bytes has come."""

    task: str
    """What is being done, such as `counting`."""
    done: int
    """Bytes done so far by this process."""
    before: int
    """Bytes that were done before, as those of a download that was interrupted."""
    total: int | None
    """Bytes of the whole task; None if that is not known."""
    elapsed_s: float
    """Seconds since this process began the task."""
    finished: bool
    """Whether the task is over."""


@dataclass(frozen=True)
class Note:
    """A line that the user should see at once."""

    text: str
    """The line."""


PATIENCE_S = 1.0
"""Seconds before the first report of a task; a shorter task is not reported at all."""
CADENCE_S = 0.1
"""Seconds between two reports of a task, at least."""

Report: TypeAlias = Callable[[Progress | Note], None]
"""What a task calls to tell how far it is, and what the user should know."""


def silent(event: Progress | Note) -> None:
    """The Report that goes nowhere."""


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
        """Count `count` more bytes as done; report that if a report is due."""
        self._done += count
        now = time.monotonic()
        if now - self._reported > CADENCE_S:
            self._reported = now
            self._tell(now, finished=False)

    def finish(self) -> None:
        """End the task, however many bytes it was; tell so if it took longer than PATIENCE_S."""
        now = time.monotonic()
        if now - self._started > PATIENCE_S:
            self._tell(now, finished=True)

    def _tell(self, now: float, *, finished: bool) -> None:
        elapsed = now - self._started
        self._report(Progress(self._task, self._done, self._before, self._total, elapsed, finished))
