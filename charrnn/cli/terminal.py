"""Manners on a terminal and in a pipe: where colour goes, and when stdout is flushed."""

import math
import sys
import time
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Annotated

import typer

from charrnn.errors import CharRNNError

if TYPE_CHECKING:
    from rich.console import Console

FLUSH_S = 0.1


class Color(StrEnum):
    """When to use colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


ColorOption = Annotated[
    Color, typer.Option("--color", help="Colour: where the stream is a terminal, always, or never.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        help="A run's name, a folder or a file; else $CHARRNN_MODEL, else the newest run.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def make_console(file: IO[str], color: Color) -> "Console":
    """A rich console on `file`; rich itself honours NO_COLOR and TERM=dumb."""
    from rich.console import Console

    terminal = {Color.AUTO: None, Color.ALWAYS: True, Color.NEVER: None}[color]
    return Console(
        file=file,
        force_terminal=terminal,
        no_color=True if color is Color.NEVER else None,
        highlight=False,
    )


class Output:
    """stdout for results: bytes go out as they are.

    On a terminal every write is shown at once; into a pipe the first one, and then at each newline
    or within 100 ms.
    """

    def __init__(self) -> None:
        """Raise CharRNNError if stdout is closed."""
        if sys.stdout is None:
            raise CharRNNError("stdout is closed: there is nowhere to write to")
        self._file = sys.stdout.buffer
        self.is_terminal = sys.stdout.isatty()
        self._flushed = -math.inf

    def write(self, data: bytes) -> None:
        """Write `data`, and flush if it is time to."""
        if not data:
            return
        self._file.write(data)
        if self.is_terminal or b"\n" in data or time.monotonic() - self._flushed > FLUSH_S:
            self._file.flush()
            self._flushed = time.monotonic()
