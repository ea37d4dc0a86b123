"""What a run has come to, in words: what a person says who reads its curve and its samples.

A verdict is a function of a few figures. Its thresholds come from the runs that
docs/experiments/verdict.md lists. No torch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from charrnn.corpus.marks import Marks
from charrnn.inference.scoring import bits
from charrnn.model.checkpoint import Checkpoint
from charrnn.plan.plan import Plan
from charrnn.runs.events import EvalReport, StepReport
from charrnn.runs.metrics import Metric

LITTLE_TEXT = 30_000
"""Training characters below which a text is too little for a model that has not learned words."""
WORDLESS = 0.5
"""Fraction of the text's entropy of order 0 above which a model has not learned words yet."""
CHANCE = 0.97
"""Fraction of that entropy above which a model guesses no better than by frequency."""
WORSE = 1.01
"""By what factor the validation loss must have risen since the best evaluation, on average over at
least two later ones, for a run that learns by heart."""
LEARNED_SINCE = 0.98
"""By what factor the training loss must have fallen since then."""
OFTEN_READ = 10.0
"""Readings of the training text from which on more of them teach little that is new."""
STILL_FALLING = 0.97
"""By what factor the validation loss must have fallen in the last half of a run that is still
learning."""
FEW_STEPS = 100
"""Optimizer steps below which such a curve tells only whether the run has ended at its best."""
MOST_TOLD = 1e6
"""Factor by which a model may need more bits than the compressor and have that told."""

Kind = Literal[
    "not finished",
    "too little text",
    "nothing to learn",
    "learned by heart",
    "still learning",
    "learned",
]


@dataclass(frozen=True)
class CurvePoint:
    """An evaluation that the run made while it trained."""

    step: int
    """Optimizer steps that the model had seen."""
    val_bits: float
    """Bits per validation character."""
    train_bits: float | None
    """Bits per training character, with dropout, on average since the evaluation before; None if no
    step was reported in between."""


@dataclass(frozen=True)
class Figures:
    """What a verdict depends on."""

    train_chars: int
    """Characters of the training text, about."""
    val_bits: float
    """Bits per validation character of the best model."""
    is_finished: bool
    """Whether the run is over, so that the best model has been judged exactly."""
    marks: Marks | None = None
    """What the text costs without a model; None if that was not measured."""
    readings: float | None = None
    """How often the run has read the training text; None if that is not known."""
    curve: tuple[CurvePoint, ...] = ()
    """The evaluations in the order of their steps; empty if they are not known."""


@dataclass(frozen=True)
class Verdict:
    """What a run has come to."""

    kind: Kind
    words: str
    """The verdict in a few words, such as `learned by heart from step 900 on`."""
    advice: str = ""
    """What follows from it, as the end of a sentence that begins with the words; may be empty."""
    is_chance: bool = False
    """Whether the model guesses no better than by how often each character occurs, and more time
    would not help."""

    def __str__(self) -> str:
        """The whole sentence."""
        return f"{self.words}: {self.advice}" if self.advice else self.words


def judge(figures: Figures) -> Verdict | None:
    """The verdict on a run; None if too few figures are known."""
    if not figures.is_finished:
        return Verdict("not finished", "not finished")
    compared = _compared(figures)
    if _is_still_learning(figures):
        so_far = f", {compared} so far" if compared else ""
        return Verdict("still learning", f"still learning{so_far}", "give it more time")
    is_chance = _is_above(figures, CHANCE)
    if figures.train_chars < LITTLE_TEXT and _is_above(figures, WORDLESS):
        words = "too little text" + (", no better than chance" if is_chance else "")
        advice = "add text; 100,000 characters are a start"
        return Verdict("too little text", words, advice, is_chance)
    if is_chance:
        return Verdict(
            "nothing to learn",
            "nothing to learn, no better than chance",
            "no character follows from those before it",
            is_chance,
        )
    by_heart_from = _by_heart_from(figures.curve)
    if by_heart_from is not None:
        but = f", {compared}" if compared else ""
        return Verdict(
            "learned by heart",
            f"learned by heart from step {by_heart_from:,} on{but}",
            "the model of that step is kept; more text would help, more time would not",
        )
    if not compared or figures.marks is None:
        return None
    needs = f"this compressor needs {figures.marks.compressed_bits:.3f} bits/char"
    return Verdict("learned", compared, needs)


def verdict_on(
    model: Checkpoint, plan: Plan | None = None, reports: Iterable[Metric] = ()
) -> Verdict | None:
    """The verdict on `model`, by the plan and the reports of its run, if they are there.

    None if the model has not been evaluated yet, or if too few figures are known.
    """
    if model.losses.val_nats is None:
        return None
    corpus, curve = model.corpus, curve_of(reports)
    readings = None
    if curve and plan is not None and plan.reading_steps:
        readings = curve[-1].step / plan.reading_steps
    return judge(
        Figures(
            train_chars=round(corpus.num_symbols * (1 - corpus.val_frac - corpus.test_frac)),
            val_bits=bits(model.losses.val_nats),
            is_finished=model.losses.val_carried,
            marks=corpus.marks,
            readings=readings,
            curve=curve,
        )
    )


def curve_of(reports: Iterable[Metric]) -> tuple[CurvePoint, ...]:
    """The evaluations among the reports of a run, each with the training loss before it."""
    points: list[CurvePoint] = []
    train_nats: list[float] = []
    for report in reports:
        if isinstance(report, StepReport):
            train_nats.append(report.train_nats)
        elif isinstance(report, EvalReport) and not report.carried:
            train_bits = bits(fmean(train_nats)) if train_nats else None
            points.append(CurvePoint(report.step, bits(report.val_nats), train_bits))
            train_nats = []
    return tuple(points)


def _is_above(figures: Figures, share: float) -> bool:
    """Whether the model needs more than a share of the bits that guesses by frequency need."""
    return figures.marks is not None and figures.val_bits > share * figures.marks.order0_bits


def _is_still_learning(figures: Figures) -> bool:
    """Whether more readings of the text would make the model better."""
    if figures.readings is None or figures.readings >= OFTEN_READ:
        return False
    curve = figures.curve
    if len(curve) < 2:
        return True
    if curve[-1].step < FEW_STEPS:
        return curve[-1].val_bits <= min(point.val_bits for point in curve)
    return curve[-1].val_bits <= STILL_FALLING * _at_half(curve)


def _at_half(curve: tuple[CurvePoint, ...]) -> float:
    """Bits per validation character after half of the steps, on a line between two evaluations."""
    half = curve[-1].step / 2
    right = next(number for number, point in enumerate(curve) if point.step >= half)
    after = curve[right]
    before = curve[max(0, right - 1)]
    share = (half - before.step) / (after.step - before.step) if before.step < half else 0.0
    return before.val_bits + share * (after.val_bits - before.val_bits)


def _by_heart_from(curve: tuple[CurvePoint, ...]) -> int | None:
    """The step from which on the run has learned by heart; None: it has not.

    That is the best evaluation, if the validation loss has risen since then while the training loss
    fell.
    """
    if not curve:
        return None
    best = min(curve, key=lambda point: point.val_bits)
    later = [point for point in curve if point.step > best.step]
    if len(later) < 2 or best.train_bits is None or later[-1].train_bits is None:
        return None
    has_risen = fmean(point.val_bits for point in later) >= WORSE * best.val_bits
    has_fallen = later[-1].train_bits <= LEARNED_SINCE * best.train_bits
    return best.step if has_risen and has_fallen else None


def _compared(figures: Figures) -> str:
    """`12 % better than bz2`: the model beside the best compressor; empty if none was tried."""
    if figures.marks is None or figures.marks.compressed_bits <= 0:
        return ""
    ratio = min(figures.val_bits / figures.marks.compressed_bits, MOST_TOLD)
    percent = round(100 * (1 - ratio))
    if percent == 0:
        return f"as good as {figures.marks.compressor}"
    how = "better" if percent > 0 else "worse"
    return f"{abs(percent):,} % {how} than {figures.marks.compressor}"
