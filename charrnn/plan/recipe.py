"""What to train: sizes and rates from the text, the time and the machine's speed, with reasons.

Pure rules, and no torch. docs/experiments/choosing.md tells which experiments they come from.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OPTIMIZERS, OptimizerName

WIDTHS = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Hidden sizes to choose from."""
CHARS_PER_PARAMETER = 6.0
"""A width pays if the model reads this many characters for each of its parameters."""
MOST_EPOCHS = 40.0
"""Further readings of a text teach nothing that holds for another one, whatever is dropped."""

LEAST_DROPOUT, MOST_DROPOUT = 0.05, 0.4
UNDROPPED_READINGS = 2.5
"""From here on each doubling of the readings adds 0.1 to the dropout."""
DROPOUT_OF_PARAMETERS = 0.2
"""At most so much for each parameter that the model has for a character of the text."""
WEIGHT_DROP_BELOW = 0.1
"""So much less of the recurrent weights is dropped than of the units."""

LEAST_DECAY, MOST_DECAY = 0.05, 0.3
DECAY_OF_EPOCH = 48.0
"""An epoch's steps share so much decay: at LEAST_RATE the weights forget in three epochs."""

RATE_OF_WIDTH = 3.0
"""A model's units share so much learning rate: twice as wide, half as fast."""
LEAST_RATE, MOST_RATE = 0.007, 0.016

STANDING = {
    "cell": "learns more in the same time than an lstm",
    "num_layers": "in the same time, one wide layer learns more than two narrow ones",
    "embedding_size": "a short code for each distinct character",
    "batch_size": "many small steps learn more than few large ones",
    "seq_len": "the carried state remembers what is further back",
}
"""Why the configs' own defaults are what they are, where no text or machine changes them."""
CHOSEN = (*STANDING, "hidden_size", "dropout", "weight_drop", "weight_decay", "lr")
"""Options with a reason, unless they are given."""
AS_ASKED = "as asked"


def choose_width(
    model: ModelConfig, chars_in_time: Callable[[ModelConfig], float]
) -> tuple[int, str]:
    """(hidden size, why): the widest model that still reads enough characters for its parameters.

    `chars_in_time(config)` is how many characters a model reads in the time there is. Widths are
    tried from the narrowest up.
    """
    chosen, why = WIDTHS[0], "there is little time"
    for width in WIDTHS:
        config = replace(model, hidden_size=width)
        ratio = chars_in_time(config) / config.num_parameters()
        if ratio < CHARS_PER_PARAMETER:
            break
        chosen, why = (
            width,
            f"the widest that reads {CHARS_PER_PARAMETER:g} characters for each parameter",
        )
    return chosen, why


def choose_dropout(readings: float, parameters_per_char: float) -> float:
    """Of the units, in a run that reads its text `readings` times: it must not learn it by heart.

    A model with few parameters for each of the text's characters cannot, and needs all it has.
    """
    often = 0.1 * math.log2(max(readings, UNDROPPED_READINGS) / UNDROPPED_READINGS)
    most = min(DROPOUT_OF_PARAMETERS * parameters_per_char, MOST_DROPOUT)
    return round(max(LEAST_DROPOUT, min(often, most)), 2)


def choose_weight_drop(dropout: float, cell: CellName) -> float:
    """Of the recurrent weights beside so much `dropout`, if the cell has any that can be dropped.

    Of an identity none are: what is kept is scaled up, and a state that is multiplied by more than
    1 at each step is lost within a window.
    """
    if CELLS[cell].identity or not CELLS[cell].recurrent_shapes(1):
        return 0.0
    return round(max(0.0, dropout - WEIGHT_DROP_BELOW), 2)


def choose_decay(steps_per_epoch: int, optimizer: OptimizerName = "adamw") -> float:
    """Of the weights, per step and unit of the rate; SGD's do not decay."""
    if not OPTIMIZERS[optimizer].decays:
        return 0.0
    return round(min(max(LEAST_DECAY, DECAY_OF_EPOCH / steps_per_epoch), MOST_DECAY), 2)


def choose_reset_prob(cell: CellName) -> float:
    """How often a stream begins a window with the zero state.

    A cell that begins as an identity forgets nothing until it has learned to: carried on, its state
    grows from window to window, and training diverges at any rate. Le et al. carry none.
    """
    return 1.0 if CELLS[cell].identity else StepConfig.reset_prob


def choose_rate(hidden_size: int, optimizer: OptimizerName = "adamw") -> float:
    """The highest learning rate: the wider the model, the lower; RMSprop learns at AdamW's."""
    rate = OPTIMIZERS[optimizer].lr
    if rate is not None:
        return rate
    return round(min(max(LEAST_RATE, RATE_OF_WIDTH / hidden_size), MOST_RATE), 4)
