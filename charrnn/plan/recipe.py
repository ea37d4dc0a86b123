"""The rules that choose a model's size, its dropout, weight decay and learning rate, with reasons.

They choose by the text, the time and the speed of the machine, and are plain arithmetic without
torch. docs/experiments/choosing.md tells of the experiments that each number comes from.

An epoch is one reading of the training text.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OPTIMIZERS, OptimizerName

HIDDEN_SIZES = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Hidden sizes that are chosen from, the smallest first."""
CHARS_PER_PARAMETER = 6.0
"""Training characters that a model must have time to read for each of its parameters."""
MAX_EPOCHS = 40.0
"""Most epochs of a run whose length is chosen: what more of them would teach, whatever the dropout,
does not hold for any other text."""

MIN_DROPOUT, MAX_DROPOUT = 0.05, 0.4
"""Smallest and largest dropout that are chosen."""
EPOCHS_BEFORE_DROPOUT = 2.5
"""Number of epochs beyond which each doubling adds 0.1 to the dropout."""
MAX_DROPOUT_PER_PARAMETER = 0.2
"""Largest dropout for each parameter that the model has per character of the training text."""
DROPOUT_BEYOND_WEIGHT_DROP = 0.1
"""How much larger the dropout of units is than the weight-drop of recurrent weights."""

LONGEST_CONTEXTS, LONG_CONTEXTS = 8, 6
"""Lengths of the longest contexts whose continuations are counted: in a run of few epochs, and in
one of many, whose net learns by itself what they tell. Shorter ones also give away less of the
text."""
EPOCHS_OF_LONGEST = 8.0
"""Epochs up to which the longest contexts are counted."""
EXPERT_DROPOUT_PER_DOUBLING, MAX_EXPERT_DROPOUT = 0.15, 0.6
"""What each doubling of the epochs beyond the first adds to the dropout of n-gram experts, and the
largest one that is chosen."""

MIN_WEIGHT_DECAY, MAX_WEIGHT_DECAY = 0.05, 0.3
"""Smallest and largest weight decay that are chosen, per step and unit of learning rate."""
WEIGHT_DECAY_PER_EPOCH = 48.0
"""Weight decay of all steps of an epoch together, per unit of learning rate: at MIN_LR, a weight
that is not learned anew falls to 1/e in three epochs."""

LR_TIMES_HIDDEN_SIZE = 3.0
"""Learning rate times hidden size: a model that is twice as wide learns at half the rate."""
MIN_LR, MAX_LR = 0.007, 0.016
"""Smallest and largest learning rate that are chosen by the hidden size."""

REASONS_FOR_DEFAULTS = {
    "cell": "learns more in the same time than an lstm",
    "num_layers": "in the same time, one wide layer learns more than two narrow ones",
    "embedding_size": "a short code for each distinct character",
    "batch_size": "many small steps learn more than few large ones",
    "seq_len": "the carried state remembers what is further back",
}
"""Why an option has the default it has, by its name, where neither text nor machine changes it."""
OPTIONS_WITH_REASONS = (
    *REASONS_FOR_DEFAULTS,
    "hidden_size",
    "dropout",
    "weight_drop",
    "ngram_order",
    "ngram_dropout",
    "weight_decay",
    "lr",
)
"""Names of the options whose values a plan gives a reason for."""
AS_ASKED = "as asked"
"""The reason for a value that the user gave."""


def choose_hidden_size(
    model: ModelConfig, chars_in_time: Callable[[ModelConfig], float]
) -> tuple[int, str]:
    """(hidden size, reason): the largest whose model reads enough characters for its parameters.

    `chars_in_time(config)` is the number of training characters that a model reads in the time
    there is. Hidden sizes are tried from the smallest up, and none after the first that is too
    large, since `chars_in_time` may have to measure.
    """
    chosen, reason = HIDDEN_SIZES[0], "there is little time"
    for hidden_size in HIDDEN_SIZES:
        config = replace(model, hidden_size=hidden_size)
        if chars_in_time(config) / config.num_parameters() < CHARS_PER_PARAMETER:
            break
        chosen = hidden_size
        reason = f"the widest that reads {CHARS_PER_PARAMETER:g} characters for each parameter"
    return chosen, reason


def choose_dropout(epochs: float, parameters_per_char: float) -> float:
    """The dropout of a run of so many epochs, which keeps it from learning the text by heart.

    `parameters_per_char` is the number of the model's parameters per character of the training
    text. A model with few of them cannot learn it by heart and needs all of its units.
    """
    by_epochs = 0.1 * math.log2(max(epochs, EPOCHS_BEFORE_DROPOUT) / EPOCHS_BEFORE_DROPOUT)
    limit = min(MAX_DROPOUT_PER_PARAMETER * parameters_per_char, MAX_DROPOUT)
    return round(max(MIN_DROPOUT, min(by_epochs, limit)), 2)


def choose_weight_drop(dropout: float, cell: CellName) -> float:
    """The weight-drop that goes with a dropout: 0 for a cell without recurrent matrices.

    It is also 0 for a cell whose recurrence begins as an identity. Weight-drop scales up what it
    keeps, and a state that is multiplied by more than 1 at each step explodes within a window.
    """
    if CELLS[cell].identity or not CELLS[cell].recurrent_shapes(1):
        return 0.0
    return round(max(0.0, dropout - DROPOUT_BEYOND_WEIGHT_DROP), 2)


def choose_ngram_order(epochs: float) -> int:
    """The length of the longest contexts that are counted for a run of so many epochs."""
    return LONGEST_CONTEXTS if epochs < EPOCHS_OF_LONGEST else LONG_CONTEXTS


def choose_ngram_dropout(epochs: float) -> float:
    """The probability with which n-gram experts are left out of a stream for a window.

    A net that always has them beside it learns less by itself, the more so the longer it learns.
    """
    dropout = EXPERT_DROPOUT_PER_DOUBLING * math.log2(max(1.0, epochs))
    return round(min(dropout, MAX_EXPERT_DROPOUT), 2)


def choose_weight_decay(steps_per_epoch: int, optimizer: OptimizerName = "adamw") -> float:
    """The weight decay per step and unit of learning rate; 0 for an optimizer that has none."""
    if not OPTIMIZERS[optimizer].decays:
        return 0.0
    decay = max(MIN_WEIGHT_DECAY, WEIGHT_DECAY_PER_EPOCH / steps_per_epoch)
    return round(min(decay, MAX_WEIGHT_DECAY), 2)


def choose_reset_prob(cell: CellName) -> float:
    """The probability with which a stream begins a window with the zero state.

    A cell whose recurrence begins as an identity forgets nothing until it has learned to. Carried
    on, its state grows from window to window, and training diverges at any learning rate; so it
    always begins with the zero state, as in its paper (Le et al. 2015).
    """
    return 1.0 if CELLS[cell].identity else StepConfig.reset_prob


def choose_lr(hidden_size: int, optimizer: OptimizerName = "adamw") -> float:
    """The highest learning rate of the run: the wider the model, the lower it is.

    An optimizer that needs a learning rate of its own gets that at any hidden size.
    """
    lr = OPTIMIZERS[optimizer].lr
    if lr is not None:
        return lr
    return round(min(max(MIN_LR, LR_TIMES_HIDDEN_SIZE / hidden_size), MAX_LR), 4)
