"""What reading a text tells while it takes its time, as frozen records. Nothing here prints."""

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
    """Bytes so far, in this session."""
    before: int
    """Bytes that were done already: of an interrupted download."""
    total: int | None
    """Bytes altogether; None where nobody knows."""
    elapsed_s: float
    finished: bool


@dataclass(frozen=True)
class Note:
    """A word to the user, at once."""

    text: str


PATIENCE_S = 1.0
"""A task that takes less is not worth a word."""
CADENCE_S = 0.1

Report: TypeAlias = Callable[[Progress | Note], None]


def silent(event: object) -> None:
    """A Report that tells nobody."""


class Meter:
    """Counts the bytes of one task, and reports them if it takes longer than a moment."""

    def __init__(self, task: str, total: int | None, report: Report, before: int = 0) -> None:
        self._task = task
        self._total = total
        self._report = report
        self._before = before
        self._done = 0
        self._started = time.monotonic()
        self._reported = self._started + PATIENCE_S - CADENCE_S

    def advance(self, count: int) -> None:
        """`count` more bytes are done."""
        self._done += count
        now = time.monotonic()
        if now - self._reported > CADENCE_S:
            self._reported = now
            self._tell(now, finished=False)

    def finish(self) -> None:
        """The task is over, however many bytes it was."""
        now = time.monotonic()
        if now - self._started > PATIENCE_S:
            self._tell(now, finished=True)

    def _tell(self, now: float, *, finished: bool) -> None:
        elapsed = now - self._started
        self._report(Progress(self._task, self._done, self._before, self._total, elapsed, finished))
