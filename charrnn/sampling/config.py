"""How text is drawn from a model.

The filters apply in llama.cpp's order: symbols that are forbidden are out; then top_k, top_p and
min_p, each on what the one before it left, made to sum to 1 again, and at temperature 1; then the
temperature; then the draw. Greedy choice (temperature 0) knows only what is forbidden.
"""

import math
from dataclasses import dataclass
from typing import Literal

from charrnn.errors import UsageError

PrecisionChoice = Literal["auto", "fp32", "bf16", "int8"]
"""auto: the fastest that was measured to cost the model next to nothing."""

ENDLESS = -1
MOST_SAMPLES = 4096


@dataclass(frozen=True)
class SamplingConfig:
    """Raises UsageError, naming the option, for a value out of range."""

    seed: int
    """Seed of the random generator: the same seed gives the same text."""
    temperature: float = 1.0
    """Logits are divided by this: below 1 safer, above 1 wilder; 0 takes the likeliest (greedy)."""
    length: int = 1000
    """New characters of each sample; -1 goes on for ever."""
    top_k: int = 0
    """Only the k likeliest symbols may be chosen; 0 leaves this filter out."""
    top_p: float = 1.0
    """Only the likeliest symbols that together have this probability; 1 leaves this filter out."""
    min_p: float = 0.0
    """Only symbols with at least this fraction of the likeliest one's probability; 0: no filter."""
    samples: int = 1
    """Texts written side by side. Each has random numbers of its own, by its place, so it does not
    depend on how many there are."""
    forbid: str = ""
    """Characters that are never written."""
    stop: tuple[str, ...] = ()
    """A text ends before any of these."""
    keep_stop: bool = False
    """The stop string is part of the text."""
    lines: int | None = None
    """A text ends after so many newlines."""
    match: str | None = None
    """A regular expression of Python's that every text matches as a whole. It goes on as long as
    anything may follow: a text ends where nothing can, at a stop string, after `lines`, or at
    `length`, and only where what is written matches."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UsageError(
                f"--temp {self.temperature:g}: must be 0 (greedy) or a positive number such as 0.8"
            )
        if self.length < ENDLESS:
            raise UsageError(f"--length {self.length}: must be 0 or more, or -1 for no end")
        if not 0 <= self.seed < 2**64:
            raise UsageError(f"--seed {self.seed}: must be 0 or more, and below 2**64")
        if not 0 <= self.top_k < 2**31:
            raise UsageError(f"--top-k {self.top_k}: must be 1 or more, or 0 for no limit")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"--top-p {self.top_p:g}: must be above 0, and at most 1 for no limit")
        if not 0 <= self.min_p <= 1:
            raise UsageError(f"--min-p {self.min_p:g}: must be from 0, for no limit, to 1")
        if not 1 <= self.samples <= MOST_SAMPLES:
            raise UsageError(f"--samples {self.samples}: must be from 1 to {MOST_SAMPLES}")
        if self.samples > 1 and self.length == ENDLESS:
            raise UsageError(f"--samples {self.samples}: texts without end need one command each")
        if self.lines is not None and self.lines < 1:
            raise UsageError(f"--lines {self.lines}: must be 1 or more")
        if "" in self.stop:
            raise UsageError("--stop '': an empty string is everywhere; give it a character")
        if self.keep_stop and not self.stop:
            raise UsageError("--keep-stop: there is no --stop to keep")
