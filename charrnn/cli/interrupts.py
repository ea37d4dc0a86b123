"""Ctrl-C and kill while training: the first asks the run to save and stop, the second leaves."""

import os
import signal
from types import FrameType, TracebackType
from typing import Any

from charrnn.runs.events import StopRequest

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
EXIT_BASE = 128
"""A shell reports a process that a signal ended as 128 plus the signal's number."""


class Interrupts:
    """Turns signals into a StopRequest from `install` on, until the `with` block ends."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupts":
        return self

    def install(self) -> None:
        """From here on a signal only sets a flag. A signal that is ignored stays ignored.

        Calling it again changes nothing.
        """
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, self._handle):
                self._before[number] = signal.signal(number, self._handle)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._stop.signal is not None:
            os._exit(EXIT_BASE + number)
        self._stop.signal = number
