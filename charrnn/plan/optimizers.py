"""The optimizers by name, their settings, and what each of them learns best with. No torch.

Adding an optimizer is a line in OPTIMIZERS and a class in charrnn/training/optimizer.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from charrnn.options import BY_PLAN, COUNT, Range, check_options, option

OPTIMIZER = "Optimizer"


@dataclass(frozen=True)
class OptimizerTraits:
    """What the rules that choose a learning rate and a weight decay need to know."""

    lr: float | None = None
    """Highest learning rate at any width; None: by the width, as recipe.choose_lr does."""
    decays: bool = True
    """Whether the weights decay unless it is asked otherwise."""


OPTIMIZERS: Mapping[str, OptimizerTraits] = {
    "adamw": OptimizerTraits(),
    "rmsprop": OptimizerTraits(),
    # Weights that decay in proportion to so high a rate would be gone in a few steps.
    "sgd": OptimizerTraits(lr=1.0, decays=False),
}
"""Every optimizer by its name."""

if TYPE_CHECKING:
    OptimizerName: TypeAlias = str
else:  # the command line makes its choices of this
    OptimizerName = Literal[tuple(OPTIMIZERS)]


@dataclass(frozen=True)
class OptimizerConfig:
    """How gradients become steps; the equations are in charrnn/training/optimizer.py."""

    optimizer: OptimizerName = option(
        "adamw",
        "Equations that turn gradients into steps: cautious AdamW, RMSprop, or SGD with momentum.",
        OPTIMIZER,
    )
    lr: float = option(
        7e-3,
        "Highest learning rate, reached after the warm-up.",
        OPTIMIZER,
        "X",
        within=Range(above=0, below=100),
        default_words=BY_PLAN,
    )
    warmup_steps: int = option(
        50,
        "Steps over which the learning rate rises from zero; at most a tenth of the run.",
        OPTIMIZER,
        "N",
        within=Range(0, most=10**12),
    )
    final_lr_frac: float = 0.02
    """Learning rate at the end of the cosine, as a fraction of `lr`."""
    lr_decay: float | None = option(
        None,
        "Factor by which the learning rate is multiplied after each epoch from the "
        "--lr-decay-after-th on, in place of a cosine over the run; 1 keeps the rate as it is.",
        OPTIMIZER,
        "X",
        within=Range(above=0, most=1),
        default_words="a cosine",
    )
    lr_decay_after: int = option(
        10,
        "First epoch after which the learning rate is multiplied by --lr-decay.",
        OPTIMIZER,
        "N",
        within=COUNT,
        only_with=("lr_decay", None),
    )
    beta1: float = 0.9
    """Decay of AdamW's mean of the gradients, per step."""
    beta2: float = 0.99
    """Decay of AdamW's mean of the squared gradients, per step."""
    alpha: float = option(
        0.95,
        "Decay of RMSprop's mean of the squared gradients, per step.",
        OPTIMIZER,
        "X",
        within=Range(0, below=1),
        only_with=("optimizer", "rmsprop"),
    )
    momentum: float = option(
        0.9,
        "Fraction of SGD's last step that is added to the next one.",
        OPTIMIZER,
        "X",
        within=Range(0, below=1),
        only_with=("optimizer", "sgd"),
    )
    weight_decay: float = option(
        0.01,
        "Weight decay of every weight matrix, per step and unit of learning rate; biases never "
        "decay.",
        OPTIMIZER,
        "X",
        within=Range(0, below=100),
        default_words=BY_PLAN,
    )
    clip_norm: float = option(
        1.0,
        "Largest norm of the gradient of all parameters together; a longer gradient is scaled down "
        "to it. 0: any norm.",
        OPTIMIZER,
        "X",
        within=Range(0, most=1e12),
    )
    clip_value: float = option(
        0.0,
        "Largest size of an element of the gradient, at which it is cut off after --clip-norm. "
        "0: any size.",
        OPTIMIZER,
        "X",
        within=Range(0, most=1e12),
    )

    def __post_init__(self) -> None:
        check_options(self)
