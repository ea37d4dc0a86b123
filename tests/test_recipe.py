"""The rules of the recipe: what grows and falls with the time, the text and the model."""

from dataclasses import replace

import numpy as np
import pytest

from charrnn.model.config import ModelConfig
from charrnn.plan.recipe import (
    CHARS_PER_PARAMETER,
    HIDDEN_SIZES,
    choose_dropout,
    choose_hidden_size,
    choose_lr,
    choose_weight_decay,
    choose_weight_drop,
)

MODEL = ModelConfig(vocab_size=71)


@pytest.mark.parametrize("chars_per_flop", [1e3, 3e4, 1e6, 3e7, 1e12])
def test_the_hidden_size_is_the_largest_whose_model_reads_enough(chars_per_flop: float) -> None:
    """On a machine whose steps take time in proportion to the square of the hidden size."""

    def chars_in_time(config: ModelConfig) -> float:
        return chars_per_flop * 1e4 / config.hidden_size**2

    def is_enough(hidden_size: int) -> bool:
        config = replace(MODEL, hidden_size=hidden_size)
        return chars_in_time(config) >= CHARS_PER_PARAMETER * config.num_parameters()

    chosen, reason = choose_hidden_size(MODEL, chars_in_time)
    assert reason
    larger = [hidden_size for hidden_size in HIDDEN_SIZES if hidden_size > chosen]
    assert is_enough(chosen) or chosen == HIDDEN_SIZES[0]
    assert not larger or not is_enough(larger[0])


def test_more_time_never_makes_a_model_smaller() -> None:
    def size(characters: float) -> int:
        return choose_hidden_size(MODEL, lambda _: characters)[0]

    sizes = [size(characters) for characters in (1e4, 1e6, 1e7, 1e9)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (HIDDEN_SIZES[0], HIDDEN_SIZES[-1])


def test_the_easier_a_text_is_learned_by_heart_the_more_is_dropped() -> None:
    by_epochs = [choose_dropout(epochs, 2.0) for epochs in (0.1, 2, 5, 10, 20, 50, 1e6)]
    by_size = [choose_dropout(20, parameters_per_char) for parameters_per_char in (0.01, 0.5, 2, 9)]
    for dropouts in (by_epochs, by_size):
        assert dropouts == sorted(dropouts)
        assert 0 < dropouts[0] < dropouts[-1] <= 0.5


def test_recurrent_weights_are_dropped_where_many_units_are_and_never_of_an_identity() -> None:
    drops = [choose_weight_drop(dropout, "gru") for dropout in (0.0, 0.05, 0.2, 0.4)]
    assert drops == sorted(drops)
    assert drops[0] == drops[1] == 0 < drops[2] < 0.2
    assert choose_weight_drop(0.4, "irnn") == choose_weight_drop(0.4, "bow") == 0


def test_a_few_more_epochs_change_the_dropout_little() -> None:
    """Where a machine's speed decides, the same command should do about the same twice."""
    for epochs in np.geomspace(0.1, 100, 500):
        assert abs(choose_dropout(1.2 * epochs, 2.0) - choose_dropout(epochs, 2.0)) < 0.05


def test_weights_decay_in_the_same_number_of_epochs_on_a_small_text_and_a_larger_one() -> None:
    assert choose_weight_decay(300) == pytest.approx(3 * choose_weight_decay(900), rel=0.1)
    assert choose_weight_decay(1) == choose_weight_decay(10)
    assert choose_weight_decay(10**6) == choose_weight_decay(10**7) > 0


def test_wider_models_have_lower_learning_rates() -> None:
    lrs = [choose_lr(hidden_size) for hidden_size in (*HIDDEN_SIZES, 5000)]
    assert lrs == sorted(lrs, reverse=True)
    assert lrs[0] > lrs[-1]


def test_sgd_has_a_far_higher_learning_rate_and_no_weight_decay() -> None:
    assert choose_lr(128, "rmsprop") == choose_lr(128)
    assert choose_lr(128, "sgd") > 10 * choose_lr(128)
    assert choose_weight_decay(500, "sgd") == 0 < choose_weight_decay(500, "rmsprop")
