"""Which part of learning curves a picture shows, so that their differences can be seen.

All curves fall steeply at first, and together; a picture with that part in it has no room for what
comes after they part. No torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from charrnn.comparison.curves import CurvePoint, LearningCurve
from charrnn.inference.scoring import bits

ROOM = 4.0
"""A picture is so many times as high as the lowest points of its curves are apart."""
LEAST_BITS = 0.25
"""Bits per character that a picture is high at least: curves that end alike should look alike."""
FAR = 3.0
"""A gap between the lowest points of two curves, so many times as wide as all those below it are
apart, leaves the curves above it out of the picture."""


@dataclass(frozen=True)
class View:
    """A range of bits per character."""

    lowest: float
    highest: float

    def shows(self, point: CurvePoint) -> bool:
        """Whether an evaluation is in the picture."""
        return self.lowest <= bits(point.nats) <= self.highest

    def reach(
        self, curves: Sequence[LearningCurve], position_of: Callable[[CurvePoint], float]
    ) -> tuple[float, float]:
        """The first and the last place on an axis at which an evaluation is in the picture."""
        positions = [position_of(p) for curve in curves for p in curve.points if self.shows(p)]
        return min(positions), max(positions)

    def label(self, curve: LearningCurve) -> str:
        """What a legend calls a curve; of one that is not in the picture it says how low it is."""
        lowest = _lowest_bits(curve)
        return curve.name + (f", far above at {lowest:.3f}" if lowest > self.highest else "")


def choose_view(curves: Sequence[LearningCurve]) -> View:
    """The part of the curves to show; each of them has at least one evaluation."""
    ends = sorted(_lowest_bits(curve) for curve in curves)
    lowest, apart = ends[0], 0.0
    for before, end in pairwise(ends):
        if apart > 0 and end - before > max(FAR * apart, LEAST_BITS):
            break
        apart = end - lowest
    highest = max(bits(point.nats) for curve in curves for point in curve.points)
    if len(curves) > 1:
        highest = min(highest, lowest + ROOM * apart)
    return View(lowest, max(highest, lowest + LEAST_BITS))


def _lowest_bits(curve: LearningCurve) -> float:
    return min(bits(point.nats) for point in curve.points)
