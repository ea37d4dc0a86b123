"""Learning curves drawn with characters: each evaluation at its place on both axes."""

import io
import math

import pytest
from rich.console import Console

from charrnn.cli.terminal_plot import HEIGHT, print_curves
from charrnn.comparison.curves import CurvePoint, LearningCurve

BITS = math.log(2)


def curve(name: str, *points: tuple[int, float, float]) -> LearningCurve:
    """A learning curve whose points are (characters, seconds, bits per character)."""
    return LearningCurve(
        name, tuple(CurvePoint(1, chars, s, bits * BITS) for chars, s, bits in points)
    )


def drawn(*curves: LearningCurve, width: int) -> list[str]:
    """The lines that a terminal of so many columns shows."""
    file = io.StringIO()
    print_curves(Console(file=file, width=width), curves)
    return file.getvalue().splitlines()


def test_every_evaluation_is_at_its_place_on_both_axes() -> None:
    best = curve("best, 1k", (1_000, 5.0, 4.0), (10_000, 10.0, 1.0), (100_000, 20.0, 1.0))
    other = curve("other, 2k", (100_000, 20.0, 4.0))
    lines = drawn(best, other, width=67)  # a margin of 6, and 61 columns: 0 to 60
    assert lines[0] == "validation bits per character"
    by_characters, rest = lines[1 : HEIGHT + 1], lines[HEIGHT + 1 :]
    by_seconds = rest[4 : 4 + HEIGHT]
    for panel, columns in ((by_characters, (0, 30, 60)), (by_seconds, (0, 20, 60))):
        top, bottom = panel[0], panel[-1]
        assert [i - 6 for i, mark in enumerate(top) if mark == "●"] == [columns[0]]
        assert [i - 6 for i, mark in enumerate(bottom) if mark == "●"] == [*columns[1:]]
        assert [i - 6 for i, mark in enumerate(top) if mark == "○"] == [60]
        assert bottom[6 + columns[1] + 1 : 6 + columns[2]].strip("·") == ""  # a straight line
        assert (top[:6].split(), bottom[:6].split()) == (["4", "┤"], ["1", "┤"])
    labels = {label: rest[1].index(label) for label in ("10k", "20k")}
    assert labels["10k"] == 6 + 30 - 1
    assert labels["20k"] == 6 + 39 - 1  # 60 * log10(20) / 2
    assert rest[1].split()[0] == "1k"
    assert rest[2].strip() == "characters read in training"
    assert lines[-2:] == ["  ● best, 1k", "  ○ other, 2k"]


def test_the_panels_begin_where_the_curves_part() -> None:
    """All fall from 5 bits to 2.24 together; after that there is a tenth of a bit between them."""
    fall = ((1_000, 1.0, 5.0), (10_000, 2.0, 2.24))
    best = curve("best", *fall, (100_000, 3.0, 2.0))
    second = curve("second", *fall, (100_000, 3.0, 2.1))
    bag = curve("bag", (1_000, 1.0, 4.75), (100_000, 3.0, 4.5))
    lines = drawn(best, second, bag, width=67)
    panels = lines[1 : HEIGHT + 1], lines[HEIGHT + 5 : 2 * HEIGHT + 5]
    for panel in panels:
        marks = {mark: [i for i, line in enumerate(panel) if mark in line] for mark in "●○▲"}
        assert marks == {"●": [6, 15], "○": [11], "▲": []}
        assert panel[6].index("●") == 6  # the axis begins at 10k characters, 2 seconds
    assert lines[-3:] == ["  ● best", "  ○ second", "  ▲ bag, far above at 4.500"]


@pytest.mark.parametrize(("width", "panels"), [(30, 1), (80, 1), (101, 1), (102, 2), (250, 2)])
def test_panels_stand_side_by_side_where_they_fit(width: int, panels: int) -> None:
    falling = curve("falling", (1_000, 5.0, 4.0), (30_000, 10.0, 1.5))
    lines = drawn(falling, width=width)
    assert sum("┤" in line and line.count("│") + line.count("┤") == panels for line in lines) > 0
    assert max(map(len, lines)) <= max(width, 36)


def test_a_curve_of_one_evaluation_can_be_drawn() -> None:
    lines = drawn(curve("short", (64, 0.5, 3.3)), width=80)
    assert sum(line.count("●") for line in lines) == 2 + 1  # two panels and the legend
