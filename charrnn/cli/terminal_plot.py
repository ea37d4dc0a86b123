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
from charrnn.comparison.view import choose_view
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

    Both begin where the curves part (comparison/view.py). Each curve must have at least one
    evaluation.
    """
    from rich.table import Table
    from rich.text import Text

    beside = console.width >= MIN_WIDTH_OF_TWO
    room = (console.width - 4) // 2 if beside else console.width
    width = max(MIN_WIDTH, min(MAX_WIDTH, room - MARGIN))
    view = choose_view(curves)
    y_axis = _Axis(view.highest, view.lowest, HEIGHT)
    panels = []
    for caption, logarithmic, position_of in (
        ("characters read in training", True, lambda p: math.log10(p.characters)),
        ("seconds", False, lambda p: p.seconds),
    ):
        x_axis = _Axis(*view.reach(curves, position_of), width)
        lines = [_line(curve, position_of) for curve in curves]
        panels.append(_panel(lines, x_axis, y_axis, caption, logarithmic=logarithmic))
    console.print("validation bits per character", style="bold")
    if beside:
        grid = Table.grid(padding=(0, 4))
        grid.add_row(*panels)
        console.print(grid)
    else:
        for panel in panels:
            console.print(panel, no_wrap=True, crop=False)
    for number, curve in enumerate(curves):
        console.print(Text.assemble("  ", (_mark(number), _style(number)), " ", view.label(curve)))


@dataclass(frozen=True)
class _Axis:
    """The numbers from `first` to `last`, laid out evenly over `cells` rows or columns."""

    first: float
    last: float
    cells: int

    def shows(self, number: float) -> bool:
        """Whether a number is on the axis."""
        return min(self.first, self.last) <= number <= max(self.first, self.last)

    def cell(self, number: float) -> int:
        """The row or column of a number, counted from 0."""
        return round((number - self.first) / ((self.last - self.first) or 1.0) * (self.cells - 1))


Canvas = list[list[tuple[str, str]]]
"""Rows of (character, style)."""


def _panel(
    lines: Sequence[Line], x_axis: _Axis, y_axis: _Axis, caption: str, *, logarithmic: bool
) -> "Text":
    """A canvas with its axes. With `logarithmic`, x is the logarithm of what the axis shows."""
    from rich.text import Text

    numbers = _round_numbers(y_axis.last, y_axis.first, HEIGHT // 2)
    labels = {y_axis.cell(number): f"{number:.3g}" for number in numbers}
    panel = Text()
    for row, cells in enumerate(_draw(lines, x_axis, y_axis)):
        panel.append(f"{labels.get(row, ''):>{MARGIN - 2}} " + ("┤" if row in labels else "│"))
        for mark, style in cells:
            panel.append(mark, style)
        panel.append("\n")
    panel.append(f"{'':{MARGIN - 1}}└{'─' * x_axis.cells}\n")
    panel.append(_label_x_axis(x_axis, logarithmic=logarithmic))
    panel.append(f"\n{'':{MARGIN}}{caption:^{x_axis.cells}}\n")
    return panel


def _draw(lines: Sequence[Line], x_axis: _Axis, y_axis: _Axis) -> Canvas:
    """The lines on a canvas, evaluations above what is between them, the first line on top.

    What is beyond the axes is left out.
    """
    canvas: Canvas = [[(" ", "")] * x_axis.cells for _ in range(y_axis.cells)]
    numbered = list(reversed(list(enumerate(lines))))
    dots = [(number, BETWEEN, _between(line, x_axis)) for number, line in numbered]
    marks = [(number, _mark(number), line) for number, line in numbered]
    for number, character, points in (*dots, *marks):
        for x, y in points:
            if x_axis.shows(x) and y_axis.shows(y):
                canvas[y_axis.cell(y)][x_axis.cell(x)] = (character, _style(number))
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
