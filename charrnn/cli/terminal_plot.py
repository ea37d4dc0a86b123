"""Learning curves in the terminal, as characters: readable without colour, and without a library.

The libraries at hand tell curves apart by colour alone, or are a new compiled program with an
interface that has just changed; this is all that two panels need.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from charrnn.cli.arguments import format_count
from charrnn.comparison.curves import CurvePoint, LearningCurve
from charrnn.inference.scoring import bits

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MARKS = "●○▲△■□◆◇+×"
STYLES = ("bold", "red", "blue", "green", "magenta", "yellow", "cyan")
BETWEEN = "·"
"""Drawn between two evaluations."""
HEIGHT = 16
MARGIN = 6
"""Columns left of the canvas, for the numbers."""
NARROWEST, WIDEST = 30, 76
"""Of a panel, in columns."""


def print_curves(console: "Console", curves: Sequence[LearningCurve]) -> None:
    """Bits per character against characters and against seconds: side by side, if that fits."""
    from rich.table import Table
    from rich.text import Text

    beside = console.width >= 2 * (NARROWEST + MARGIN) + 30
    room = (console.width - 4) // 2 if beside else console.width
    width = max(NARROWEST, min(WIDEST, room - MARGIN))
    panels = [
        _panel(curves, lambda p: p.characters, math.log10, width, "characters read in training"),
        _panel(curves, lambda p: p.seconds, float, width, "seconds"),
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
        mark = Text(MARKS[number % len(MARKS)], STYLES[number % len(STYLES)])
        console.print(Text.assemble("  ", mark, " ", curve.name))


def _panel(
    curves: Sequence[LearningCurve],
    place_of: Callable[[CurvePoint], float],
    scale: Callable[[float], float],
    width: int,
    caption: str,
) -> "Text":
    """A canvas of HEIGHT rows with its axes; `scale` says where a place lies."""
    from rich.text import Text

    lines = [
        [(scale(place_of(point)), bits(point.nats)) for point in curve.points] for curve in curves
    ]
    every = [point for line in lines for point in line]
    left = min(x for x, _ in every) if scale is not float else 0.0
    right = max(x for x, _ in every)
    low, high = min(y for _, y in every), max(y for _, y in every)

    def column(x: float) -> int:
        return round((x - left) / ((right - left) or 1.0) * (width - 1))

    def row(y: float) -> int:
        return round((high - y) / ((high - low) or 1.0) * (HEIGHT - 1))

    canvas: list[list[tuple[str, str]]] = [[(" ", "")] * width for _ in range(HEIGHT)]
    for mark in (BETWEEN, ""):  # the evaluations lie on top of what is between, the best on top
        for number, line in reversed(list(enumerate(lines))):
            style = STYLES[number % len(STYLES)]
            shown = _between(line, column) if mark else line
            for x, y in shown:
                canvas[row(y)][column(x)] = (mark or MARKS[number % len(MARKS)], style)
    numbers = {row(y): f"{y:.3g}" for y in _round_numbers(low, high, HEIGHT // 2)}
    drawn = Text()
    for place, cells in enumerate(canvas):
        drawn.append(
            f"{numbers.get(place, ''):>{MARGIN - 2}} " + ("┤" if place in numbers else "│")
        )
        for mark, style in cells:
            drawn.append(mark, style)
        drawn.append("\n")
    drawn.append(f"{'':{MARGIN - 1}}└{'─' * width}\n")
    if scale is float:
        places = [(x, f"{x:g}") for x in _round_numbers(left, right, width // 10)]
    else:
        places = [(scale(x), format_count(x)) for x in _one_two_five(10**left, 10**right)]
    drawn.append(_labels([(column(x) + MARGIN, label) for x, label in places], width + MARGIN))
    drawn.append(f"\n{'':{MARGIN}}{caption:^{width}}\n")
    return drawn


def _between(
    line: list[tuple[float, float]], column: Callable[[float], int]
) -> list[tuple[float, float]]:
    """A point for each column between two evaluations, on the straight line that joins them."""
    points = []
    for (x, y), (next_x, next_y) in pairwise(line):
        count = column(next_x) - column(x)
        points += [
            (x + part / count * (next_x - x), y + part / count * (next_y - y))
            for part in range(1, count)
        ]
    return points


def _round_numbers(low: float, high: float, most: int) -> list[float]:
    """At most so many multiples of 1, 2 or 5 times a power of ten, evenly from low to high."""
    span = (high - low) or 1.0
    power = 10 ** math.floor(math.log10(span / most))
    step = next(power * m for m in (1, 2, 5, 10, 20) if span / (power * m) <= most)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [number * step for number in range(first, last + 1)]


def _one_two_five(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from low to high; both ends if none is there."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]
    return found or [low, high]


def _labels(places: Sequence[tuple[int, str]], width: int) -> str:
    """One line with each label centred on its place, where there is room for it."""
    line = ""
    for place, label in places:
        start = place - len(label) // 2
        if start > len(line) and start + len(label) <= width:
            line = f"{line:{start}}{label}"
    return line
