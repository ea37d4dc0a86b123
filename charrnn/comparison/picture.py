"""Learning curves as a picture. matplotlib draws it and is imported only then."""

import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.comparison.curves import LearningCurve
from charrnn.comparison.view import choose_view
from charrnn.errors import CharRNNError, UsageError
from charrnn.extras import how_to_install
from charrnn.files.atomic import write_atomically
from charrnn.inference.scoring import bits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
"""Endings of the names that a picture can have; each names its format."""

# The colours of Okabe and Ito, which every kind of eye can tell apart, the darkest first. Where
# there is no colour, the dashes and the markers tell the curves apart.
COLORS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("-", "--", "-.", ":")
MARGIN = 0.04
"""Room around the curves, as a fraction of what is shown of them."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")


def has_matplotlib() -> bool:
    """Whether matplotlib is installed, without importing it."""
    return find_spec("matplotlib") is not None


def how_to_get_matplotlib() -> str:
    """What a user without matplotlib is told."""
    return f"drawing needs one more package: {how_to_install('matplotlib')}"


def check_picture_path(path: Path) -> None:
    """Refuse, before any work is done, a path that no picture can be written to.

    Raises UsageError if the name has another ending or its folder does not exist, and CharRNNError
    if matplotlib is not installed.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"`plot` {str(path)!r}: the name must end in {' or '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise UsageError(f"`plot` {str(path)!r}: there is no folder {str(path.parent)!r}")
    if not has_matplotlib():
        raise CharRNNError(f"`plot` {str(path)!r}: {how_to_get_matplotlib()}")


def write_picture(curves: Sequence[LearningCurve], title: str, path: Path) -> None:
    """Draw the curves and write them to `path`, whole or not at all, in the format of its ending.

    Raises OutputError if the file cannot be written.
    """
    picture = io.BytesIO()
    make_figure(curves, title).savefig(picture, format=path.suffix[1:])
    write_atomically(path, picture.getvalue())


def make_figure(curves: Sequence[LearningCurve], title: str) -> "Figure":
    """Draw two panels: bits per character against characters read, and against seconds.

    Both begin where the curves part (view.py).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.8), dpi=150, layout="constrained")
    by_characters, by_seconds = figure.subplots(1, 2, sharey=True)
    view = choose_view(curves)
    for number, curve in enumerate(curves):
        values = [bits(point.nats) for point in curve.points]
        label = view.label(curve)
        characters = [point.characters for point in curve.points]
        seconds = [point.seconds for point in curve.points]
        _draw_curve(by_characters, number, label, characters, values)
        _draw_curve(by_seconds, number, label, seconds, values)
    _label_characters(by_characters)
    by_characters.set_ylabel("validation bits per character")
    by_seconds.set_xlabel("seconds")
    height = view.highest - view.lowest
    by_characters.set_ylim(view.lowest - MARGIN * height, view.highest + MARGIN * height)
    first, last = view.reach(curves, lambda point: point.characters)
    if first < last:
        by_characters.set_xlim(first * (first / last) ** MARGIN, last * (last / first) ** MARGIN)
    first, last = view.reach(curves, lambda point: point.seconds)
    if first < last:
        by_seconds.set_xlim(first - MARGIN * (last - first), last + MARGIN * (last - first))
    by_seconds.legend(frameon=False)
    for axes in (by_characters, by_seconds):
        axes.grid(which="major", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize="medium")
    return figure


def _label_characters(axes: "Axes") -> None:
    """Make the horizontal axis one of characters: logarithmic, with labels such as 20k."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("characters read in training")


def _draw_curve(
    axes: "Axes", number: int, name: str, positions: Sequence[float], values: Sequence[float]
) -> None:
    """Draw one curve in the look of its number, which tells it apart from the others."""
    axes.plot(
        positions,
        values,
        label=name,
        color=COLORS[number % len(COLORS)],
        linestyle=DASHES[number % len(DASHES)],
        marker=MARKERS[number % len(MARKERS)],
        markersize=4,
        linewidth=1.5,
    )
