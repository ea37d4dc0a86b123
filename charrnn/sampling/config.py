"""How text is drawn from a model."""

import math
from dataclasses import dataclass

from charrnn.errors import UsageError

ENDLESS = -1


@dataclass(frozen=True)
class SamplingConfig:
    """Raises UsageError, naming the option, for a value out of range."""

    seed: int
    """Seed of the random generator: the same seed gives the same text."""
    temperature: float = 1.0
    """Logits are divided by this: below 1 safer, above 1 wilder; 0 takes the likeliest (greedy)."""
    length: int = 1000
    """New characters to write; -1 goes on for ever."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UsageError(
                f"--temp {self.temperature:g}: must be 0 (greedy) or a positive number such as 0.8"
            )
        if self.length < ENDLESS:
            raise UsageError(f"--length {self.length}: must be 0 or more, or -1 for no end")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: must be 0 or more")
