"""What commands share at the terminal: options, consoles, tables, and when stdout is flushed."""

import math
import os
import shlex
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

FLUSH_S = 0.1
"""Seconds that a result waits, at most about, before a pipe gets it."""
UNBOUNDED_WIDTH = 10_000
"""Columns of a table that goes into a pipe or a file, where nothing is folded or left out."""
LEAST_FOLDED = 24
"""Columns that a table leaves to the text that it folds, at least."""


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
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Say more: the whole plan with reasons, every evaluation, samples."
    ),
]
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


def wants_no_color() -> bool:
    """Whether the user asks every program for no colour, by $NO_COLOR (no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def make_console(file: IO[str], color: Color) -> "Console":
    """A rich console on `file`; rich itself honours TERM=dumb.

    Without colour there is no escape sequence at all, so none for bold text either.
    """
    from rich.console import Console

    is_plain = color is Color.NEVER or (color is Color.AUTO and wants_no_color())
    return Console(
        file=file,
        force_terminal=True if color is Color.ALWAYS else None,
        color_system=None if is_plain else "auto",
        no_color=is_plain,
        highlight=False,
    )


def print_table(
    console: "Console",
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str] = (),
    folded: str = "",
    dispensable: Sequence[str] = (),
) -> None:
    """Print a table of plain text without lines.

    The columns called `right` are aligned to the right. Where a terminal is too narrow, the column
    called `folded` goes on in further lines, and those called `dispensable` are left out, the first
    of them first. Elsewhere there is room for everything.
    """
    rows = list(rows)
    if not console.is_terminal:
        console.width = UNBOUNDED_WIDTH
    shown, left_out = list(headings), iter(dispensable)
    while _narrowest(console, _table(headings, shown, rows, right, folded)) > console.width:
        heading = next(left_out, None)
        if heading is None:
            break
        shown.remove(heading)
    console.print(_table(headings, shown, rows, right, ""))


def _table(
    headings: Sequence[str],
    shown: Collection[str],
    rows: Iterable[Sequence[str]],
    right: Collection[str],
    narrow: str,
) -> "Table":
    """A table of the columns in `shown`; the one called `narrow` has LEAST_FOLDED columns."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in shown:
        table.add_column(
            heading,
            justify="right" if heading in right else "left",
            overflow="fold",
            max_width=LEAST_FOLDED if heading == narrow else None,
        )
    for row in rows:
        named = zip(headings, row, strict=True)
        table.add_row(*(Text(cell) for heading, cell in named if heading in shown))
    return table


def _narrowest(console: "Console", table: "Table") -> int:
    """Columns of the terminal on which nothing in `table` is folded."""
    options = console.options.update(max_width=UNBOUNDED_WIDTH)
    return console.measure(table, options=options).maximum


def print_labelled(console: "Console", rows: Iterable[tuple[str, str]]) -> None:
    """Print labels in bold, each with the plain text that it stands for behind it.

    On a terminal a text that is too wide goes on below its beginning.
    """
    from rich.text import Text

    rows = list(rows)
    indent = max((len(label) for label, _ in rows), default=0) + 2
    for label, value in rows:
        for line in folded_lines(console, value, indent):
            console.print(Text.assemble((f"{label:{indent}}", "bold"), line), soft_wrap=True)
            label = ""


def print_command(console: "Console", label: str, command: str) -> None:
    """Print a command so that it can be copied as it stands: on one line, if that fits.

    On a terminal that is too narrow, lines end between two words, in a backslash.
    """
    lines = [f"{label}:"]
    for word in map(shlex.quote, shlex.split(command)):
        if console.is_terminal and len(lines[-1]) + len(word) + len(" ") > console.width - len(
            " \\"
        ):
            lines[-1] += " \\"
            lines.append(f"    {word}")
        else:
            lines[-1] += f" {word}"
    console.print("\n".join(lines), soft_wrap=True, markup=False)


def folded_lines(console: "Console", text: str, indent: int) -> list[str]:
    """The lines into which `text` is folded behind an indent; one where there is no terminal."""
    from rich.text import Text

    if not console.is_terminal:
        return [text]
    lines = Text(text).wrap(console, max(1, console.width - indent), overflow="fold")
    return [line.plain.rstrip() for line in lines]


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
