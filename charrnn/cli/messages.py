"""What a command says beside its results: a stderr that never stops the command."""

import io
import os
import sys
from typing import IO


class LenientRaw(io.RawIOBase):
    """A stream of bytes that takes everything, also when nobody can read it any more.

    A training run must not end because the pipe that its messages went to was closed, or because
    the disk of its log is full.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        """Write to the file of `stream` while that goes well; None: to nowhere."""
        self._stream = stream  # kept, as it closes its file with itself
        self._descriptor = None if stream is None else stream.fileno()

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]
        """Write all of `data`, or let it go."""
        left = memoryview(data)
        while left and self._descriptor is not None:
            try:
                left = left[os.write(self._descriptor, left) :]
            except OSError:
                self._descriptor = None
        return len(data)

    def writable(self) -> bool:
        """Whether it takes bytes, as a stream says it."""
        return True

    def isatty(self) -> bool:
        """Whether a terminal shows what is written."""
        return self._descriptor is not None and os.isatty(self._descriptor)

    def fileno(self) -> int:
        """The descriptor, as a program that asks for the terminal's size wants it."""
        if self._descriptor is None:
            raise OSError("nobody reads this stream")
        return self._descriptor


def use_lenient_stderr() -> None:
    """Let sys.stderr be a stream of UTF-8 that takes everything, line by line."""
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(LenientRaw(sys.stderr)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
