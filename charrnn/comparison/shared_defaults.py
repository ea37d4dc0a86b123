"""Defaults that every cell of a comparison shares. No torch, no numpy.

`charrnn train` would choose these values for each cell by its size and its speed. `charrnn compare`
gives the same values to every cell, so that a run differs from the others by nothing but its cell.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SharedDefaults:
    """Values of training options that every cell gets unless the user gives others.

    Each field has the name of the option of `charrnn train` that it stands for.
    """

    lr: float = 0.007
    dropout: float = 0.1
    weight_drop: float = 0.0
    weight_decay: float = 0.05
    ngram_order: int = 0
    patience: int = 0
    precision: str = "fp32"


PARAMETERS_PER_CELL = 200_000
"""Parameters that each cell's model has, about, unless the user gives a number or a hidden size."""
BUDGET_PER_CELL_S = 60.0
"""Seconds that each cell trains unless the user says when training stops."""
EVALUATIONS_PER_CELL = 20
"""Evaluations in each cell's run, about, unless the user gives the steps between them."""
