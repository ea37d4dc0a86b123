"""What cells that are compared have in common, unless something else is asked. No torch, no numpy.

What `charrnn train` would choose for each cell by its size and speed is here the same for all.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SharedDefaults:
    """What holds for every cell, unless something else is asked; by the names of `train`."""

    lr: float = 0.007
    dropout: float = 0.1
    weight_drop: float = 0.0
    weight_decay: float = 0.05
    patience: int = 0
    precision: str = "fp32"


PARAMETERS = 200_000
"""Of each cell, about."""
BUDGET_S = 60.0
"""Of each cell, if nothing says when to stop."""
EVALUATIONS = 20
"""Of each cell on the way."""
