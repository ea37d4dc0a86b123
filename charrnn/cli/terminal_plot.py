"""Learning curves drawn with characters on a terminal, readable without colour.

No library draws them: those at hand tell curves apart by colour alone, or are a new compiled
program with an interface that has just changed, and two panels need little.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from charrnn.cli.arguments import format_count
from charrnn.comparison.curves import CurvePoint, LearningCurve
from charrnn.inference.scoring import bits

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MARKS = "●○▲△■□◆◇+×"
"""Characters that stand for an evaluation, one for each curve, the best curve's first."""
STYLES = ("bold", "red", "blue", "green", "magenta", "yellow", "cyan")
"""rich's names of the curves' styles, in the same order."""
BETWEEN = "·"
"""Character that the line between two evaluations is made of."""
HEIGHT = 16
"""Rows of a panel's canvas."""
MARGIN = 6
"""Columns to the left of a panel's canvas, for the numbers on its axis."""
MIN_WIDTH, MAX_WIDTH = 30, 76
"""Fewest and most columns of a panel's canvas."""
MIN_WIDTH_OF_TWO = 2 * (MIN_WIDTH + MARGIN) + 30
"""Columns of a terminal on which two panels stand side by side."""

Line = list[tuple[float, float]]
"""The points (x, y) of a curve, in the units of the panel's axes."""


def print_curves(console: "Console", curves: Sequence[LearningCurve]) -> None:
    """Draw bits per character against characters and against seconds, side by side if they fit.

    Each curve must have at least one evaluation.
    """
    from rich.table import Table
    from rich.text import Text

    beside = console.width >= MIN_WIDTH_OF_TWO
    room = (console.width - 4) // 2 if beside else console.width
    width = max(MIN_WIDTH, min(MAX_WIDTH, room - MARGIN))
    panels = [
        _panel(
            [_line(curve, lambda p: math.log10(p.characters)) for curve in curves],
            width,
            "characters read in training",
            logarithmic=True,
        ),
        _panel([_line(curve, lambda p: p.seconds) for curve in curves], width, "seconds"),
    ]
    console.print("validation bits per character", style="bold")
    if beside:
        grid = Table.grid(padding=(0, 4))
        grid.add_row(*panels)
        console.print(grid)
    else:
        for panel in panels:
            console.print(panel, no_wrap=True, crop=False)
    for number, curve in enumerate(curves):
        console.print(Text.assemble("  ", (_mark(number), _style(number)), " ", curve.name))


@dataclass(frozen=True)
class _Axis:
    """The numbers from `first` to `last`, laid out evenly over `cells` rows or columns."""

    first: float
    last: float
    cells: int

    def cell(self, number: float) -> int:
        """The row or column of a number, counted from 0."""
        return round((number - self.first) / ((self.last - self.first) or 1.0) * (self.cells - 1))


Canvas = list[list[tuple[str, str]]]
"""Rows of (character, style)."""


def _panel(lines: Sequence[Line], width: int, caption: str, *, logarithmic: bool = False) -> "Text":
    """A canvas with its axes. With `logarithmic`, x is the logarithm of what the axis shows."""
    from rich.text import Text

    xs = [x for line in lines for x, _ in line]
    ys = [y for line in lines for _, y in line]
    x_axis = _Axis(min(xs) if logarithmic else 0.0, max(xs), width)
    y_axis = _Axis(max(ys), min(ys), HEIGHT)
    labels = {y_axis.cell(y): f"{y:.3g}" for y in _round_numbers(min(ys), max(ys), HEIGHT // 2)}
    panel = Text()
    for row, cells in enumerate(_draw(lines, x_axis, y_axis)):
        panel.append(f"{labels.get(row, ''):>{MARGIN - 2}} " + ("┤" if row in labels else "│"))
        for mark, style in cells:
            panel.append(mark, style)
        panel.append("\n")
    panel.append(f"{'':{MARGIN - 1}}└{'─' * width}\n")
    panel.append(_label_x_axis(x_axis, logarithmic=logarithmic))
    panel.append(f"\n{'':{MARGIN}}{caption:^{width}}\n")
    return panel


def _draw(lines: Sequence[Line], x_axis: _Axis, y_axis: _Axis) -> Canvas:
    """The lines on a canvas, evaluations above what is between them, the first line on top."""
    canvas: Canvas = [[(" ", "")] * x_axis.cells for _ in range(y_axis.cells)]
    numbered = list(reversed(list(enumerate(lines))))
    for number, line in numbered:
        for x, y in _between(line, x_axis):
            canvas[y_axis.cell(y)][x_axis.cell(x)] = (BETWEEN, _style(number))
    for number, line in numbered:
        for x, y in line:
            canvas[y_axis.cell(y)][x_axis.cell(x)] = (_mark(number), _style(number))
    return canvas


def _line(curve: LearningCurve, x_of: Callable[[CurvePoint], float]) -> Line:
    return [(x_of(point), bits(point.nats)) for point in curve.points]


def _mark(number: int) -> str:
    return MARKS[number % len(MARKS)]


def _style(number: int) -> str:
    return STYLES[number % len(STYLES)]


def _between(line: Line, x_axis: _Axis) -> Line:
    """A point for each column between two evaluations, on the straight line that joins them."""
    points = []
    for (x, y), (next_x, next_y) in pairwise(line):
        columns = x_axis.cell(next_x) - x_axis.cell(x)
        points += [
            (x + part / columns * (next_x - x), y + part / columns * (next_y - y))
            for part in range(1, columns)
        ]
    return points


def _label_x_axis(axis: _Axis, *, logarithmic: bool) -> str:
    """The line of numbers below a canvas."""
    if logarithmic:
        counts = _one_two_five(10**axis.first, 10**axis.last)
        labels = [(math.log10(count), format_count(count)) for count in counts]
    else:
        numbers = _round_numbers(axis.first, axis.last, axis.cells // 10)
        labels = [(number, f"{number:g}") for number in numbers]
    centres = [(axis.cell(x) + MARGIN, label) for x, label in labels]
    return _place_labels(centres, axis.cells + MARGIN)


def _round_numbers(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, `most` at most, evenly from low to high."""
    span = (high - low) or 1.0
    power = 10 ** math.floor(math.log10(span / most))
    step = next(power * m for m in (1, 2, 5, 10, 20) if span / (power * m) <= most)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [number * step for number in range(first, last + 1)]


def _one_two_five(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from low to high; both ends if none is there."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    candidates = [m * 10.0**p for p in powers for m in (1, 2, 5)]
    return [number for number in candidates if low <= number <= high] or [low, high]


def _place_labels(centres: Sequence[tuple[int, str]], width: int) -> str:
    """One line with each label centred on its column, where there is room for it."""
    line = ""
    for centre, label in centres:
        start = centre - len(label) // 2
        if start > len(line) and start + len(label) <= width:
            line = f"{line:{start}}{label}"
    return line
