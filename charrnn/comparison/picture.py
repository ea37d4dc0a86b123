"""Learning curves as a picture, by matplotlib, which is imported when a picture is drawn."""

import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.comparison.curves import Curve
from charrnn.errors import CharRNNError, UsageError
from charrnn.files.atomic import write_atomically
from charrnn.inference.scoring import bits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MISSING = "drawing needs one more package: pip install 'charrnn[plot]'"
SUFFIXES = (".png", ".svg")

# Okabe and Ito's colours, which differ for every kind of eye, the darkest first; without colour the
# dashes and the markers tell the curves apart.
COLORS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")


def is_available() -> bool:
    """Whether there is a matplotlib to draw with; does not import it."""
    return find_spec("matplotlib") is not None


def check_target(path: Path) -> None:
    """Raise UsageError if `path` cannot become a picture, CharRNNError if nothing can."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"--plot {str(path)!r}: the name must end in {' or '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise UsageError(f"--plot {str(path)!r}: there is no folder {str(path.parent)!r}")
    if not is_available():
        raise CharRNNError(f"--plot {str(path)!r}: {MISSING}")


def draw(curves: Sequence[Curve], title: str, path: Path) -> None:
    """Write `figure` to `path`, whole or not at all. Raises OutputError."""
    picture = io.BytesIO()
    figure(curves, title).savefig(picture, format=path.suffix[1:])
    write_atomically(path, picture.getvalue())


def figure(curves: Sequence[Curve], title: str) -> "Figure":
    """Bits per character of each curve against characters read, and against seconds."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    drawing = Figure(figsize=(11, 4.8), dpi=150, layout="constrained")
    by_characters, by_seconds = drawing.subplots(1, 2, sharey=True)
    for number, curve in enumerate(curves):
        values = [bits(point.nats) for point in curve.points]
        _line(
            by_characters, number, curve.name, [point.characters for point in curve.points], values
        )
        _line(by_seconds, number, curve.name, [point.seconds for point in curve.points], values)
    by_characters.set_xscale("log")
    by_characters.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    by_characters.xaxis.set_major_formatter(EngFormatter(sep=""))
    by_characters.xaxis.set_minor_formatter(NullFormatter())
    by_characters.set_xlabel("characters read in training")
    by_characters.set_ylabel("validation bits per character")
    by_seconds.set_xlabel("seconds")
    by_seconds.set_xlim(left=0)
    by_seconds.legend(frameon=False)
    for axes in (by_characters, by_seconds):
        axes.grid(which="major", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    drawing.suptitle(title, fontsize="medium")
    return drawing


def _line(axes: "Axes", number: int, name: str, places: list[float], values: list[float]) -> None:
    axes.plot(
        places,
        values,
        label=name,
        color=COLORS[number % len(COLORS)],
        linestyle=DASHES[number % len(DASHES)],
        marker=MARKERS[number % len(MARKERS)],
        markersize=4,
        linewidth=1.5,
    )
