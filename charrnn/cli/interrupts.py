"""Ctrl-C and kill while training: the first asks the run to save and stop, the second leaves."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

import typer

from charrnn.runs.events import Event, RunStarted, StopRequest

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""The signals that stop training, as far as the platform has them."""
EXIT_BASE = 128
"""A shell reports a process that a signal ended as 128 plus the signal's number."""


class Interrupts:
    """Turns signals into a StopRequest from `install` on, until the `with` block ends."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self._handlers_before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupts":
        return self

    def install(self) -> None:
        """From here on a signal only sets a flag. A signal that is ignored stays ignored.

        Calling it again changes nothing.
        """
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, self._handle):
                self._handlers_before[number] = signal.signal(number, self._handle)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """Ask the run to stop; leave at once if it has been asked already."""
        if self._stop.signal is not None:
            os._exit(EXIT_BASE + number)
        self._stop.signal = number


@contextmanager
def stoppable(
    stop: StopRequest, show: Callable[[Event], None] | None
) -> Iterator[Callable[[Event], None]]:
    """Make the `on_event` of a training that signals can stop, within a `with` block.

    Each event goes on to `show`, if there is one. From the start of the first run on, a signal asks
    through `stop` that training stop. Before that there is nothing to save, and a signal ends the
    command as usual.
    """
    with Interrupts(stop) as interrupts:

        def on_event(event: Event) -> None:
            if isinstance(event, RunStarted):
                interrupts.install()
            if show is not None:
                show(event)

        yield on_event


def exit_if_stopped(stop: StopRequest) -> None:
    """Raise typer.Exit, with the code that a shell expects, if a signal stopped training."""
    if stop.signal is not None:
        raise typer.Exit(EXIT_BASE + stop.signal)
