"""What commands share at the terminal: options, consoles, tables, and when stdout is flushed."""

import math
import os
import sys
import time
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Annotated

import typer

from charrnn.errors import CharRNNError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NO_COLOR = "NO_COLOR"
"""The variable by which a user asks every program for no colour (no-color.org)."""
FLUSH_S = 0.1
"""Seconds that a result waits, at most about, before a pipe gets it."""


class Color(StrEnum):
    """When output is coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


ColorOption = Annotated[
    Color,
    typer.Option(
        "--color", help="When to use colour: auto, where the output is a terminal; always; never."
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
CorpusArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CORPUS...",
        help="Files (.gz, .xz, .zst too), folders, patterns, - (stdin), stdlib: Python's own "
        "source, or a name of `charrnn corpus list`.",
        show_default=False,
    ),
]
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
    """A rich console on `file`; rich itself honours TERM=dumb.

    Without colour there is no escape sequence at all, so none for bold text either.
    """
    from rich.console import Console

    is_plain = color is Color.NEVER or (color is Color.AUTO and NO_COLOR in os.environ)
    return Console(
        file=file,
        force_terminal=True if color is Color.ALWAYS else None,
        color_system=None if is_plain else "auto",
        highlight=False,
    )


def make_table(
    headings: Iterable[str], right: Collection[str] = (), *, no_wrap: bool = False
) -> "Table":
    """A table without lines; the columns whose headings are in `right` are aligned to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", no_wrap=no_wrap)
    return table


def print_labelled(console: "Console", rows: Iterable[Sequence[str]]) -> None:
    """Print rows of plain text in columns, the first of which holds labels in bold."""
    from rich.markup import escape
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for label, *cells in rows:
        grid.add_row(f"[bold]{label}[/]", *map(escape, cells))
    console.print(grid)


class Output:
    """stdout for results, whose bytes go out as they are.

    On a terminal each write is shown at once. A pipe gets the first write at once, and what follows
    at the next newline or after 100 ms.
    """

    def __init__(self) -> None:
        """Raise CharRNNError if stdout is closed."""
        if sys.stdout is None:
            raise CharRNNError("stdout is closed: there is nowhere to write to")
        self._file = sys.stdout.buffer
        self.is_terminal = sys.stdout.isatty()
        self._last_flush = -math.inf

    def write(self, data: bytes) -> None:
        """Write `data`, and flush if it is time to."""
        if not data:
            return
        self._file.write(data)
        if self.is_terminal or b"\n" in data or time.monotonic() - self._last_flush > FLUSH_S:
            self._file.flush()
            self._last_flush = time.monotonic()
