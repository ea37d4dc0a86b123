"""The rules that choose width, rate, decay and dropout."""

from dataclasses import replace

import numpy as np
import pytest

from charrnn.model.config import ModelConfig
from charrnn.plan.recipe import (
    CHARS_PER_PARAMETER,
    WIDTHS,
    choose_decay,
    choose_dropout,
    choose_rate,
    choose_weight_drop,
    choose_width,
)

MODEL = ModelConfig(vocab_size=71)


@pytest.mark.parametrize("chars_per_flop", [1e3, 3e4, 1e6, 3e7, 1e12])
def test_the_width_is_the_widest_that_reads_enough(chars_per_flop: float) -> None:
    """A machine whose steps take time in proportion to H^2."""

    def chars_in_time(config: ModelConfig) -> float:
        return chars_per_flop * 1e4 / config.hidden_size**2

    def is_enough(width: int) -> bool:
        config = replace(MODEL, hidden_size=width)
        return chars_in_time(config) >= CHARS_PER_PARAMETER * config.num_parameters()

    width, why = choose_width(MODEL, chars_in_time)
    assert why
    wider = [other for other in WIDTHS if other > width]
    assert is_enough(width) or width == WIDTHS[0]
    assert not wider or not is_enough(wider[0])


def test_more_time_never_makes_a_model_narrower() -> None:
    def width(characters: float) -> int:
        return choose_width(MODEL, lambda _: characters)[0]

    widths = [width(characters) for characters in (1e4, 1e6, 1e7, 1e9)]
    assert widths == sorted(widths)
    assert (widths[0], widths[-1]) == (WIDTHS[0], WIDTHS[-1])


def test_the_easier_a_text_is_learned_by_heart_the_more_is_dropped() -> None:
    readings = (0.1, 2, 5, 10, 20, 50, 1e6)
    often = [choose_dropout(each, 2.0) for each in readings]
    wide = [choose_dropout(20, parameters_per_char) for parameters_per_char in (0.01, 0.5, 2, 9)]
    for values in (often, wide):
        assert values == sorted(values)
        assert 0 < values[0] < values[-1] <= 0.5


def test_recurrent_weights_are_dropped_once_much_else_is() -> None:
    drops = [choose_weight_drop(dropout, "gru") for dropout in (0.0, 0.05, 0.2, 0.4)]
    assert drops == sorted(drops)
    assert drops[0] == drops[1] == 0 < drops[2] < 0.2
    assert choose_weight_drop(0.4, "irnn") == choose_weight_drop(0.4, "bow") == 0


def test_a_little_more_reading_changes_little() -> None:
    """Where a machine's speed decides, the same command should do about the same twice."""
    for readings in np.geomspace(0.1, 100, 500):
        assert abs(choose_dropout(1.2 * readings, 2.0) - choose_dropout(readings, 2.0)) < 0.05


def test_weights_of_a_small_text_decay_in_as_many_readings_as_those_of_a_larger_one() -> None:
    assert choose_decay(300) == pytest.approx(3 * choose_decay(900), rel=0.1)
    assert choose_decay(1) == choose_decay(10)
    assert choose_decay(10**6) == choose_decay(10**7) > 0


def test_wider_models_learn_at_lower_rates() -> None:
    rates = [choose_rate(width) for width in (*WIDTHS, 5000)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1]


def test_sgd_takes_far_longer_steps_and_its_weights_do_not_decay() -> None:
    assert choose_rate(128, "rmsprop") == choose_rate(128)
    assert choose_rate(128, "sgd") > 10 * choose_rate(128)
    assert choose_decay(500, "sgd") == 0 < choose_decay(500, "rmsprop")
