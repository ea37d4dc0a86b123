import itertools
import math

import numpy as np
import pytest

from charrnn.errors import UsageError
from charrnn.inference import NumpyStepper
from charrnn.model.config import ModelConfig
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.generator import choose, generate_ids
from tests.conftest import random_checkpoint

CONFIG = ModelConfig(vocab_size=11, hidden_size=13, embedding_size=5)
PRIME = np.array([3, 1, 4], np.uint8)


@pytest.fixture
def stepper() -> NumpyStepper:
    return NumpyStepper(CONFIG, random_checkpoint(CONFIG).weights)


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_choices_follow_the_softmax_of_the_scaled_logits(temperature: float) -> None:
    logits = np.array([0.0, 1.0, -1.0, 2.0, 0.5], np.float32)
    expected = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
    uniforms = np.random.default_rng(0).random(20_000)
    chosen = [choose(logits, temperature, u) for u in uniforms]
    counts = np.bincount(chosen, minlength=5)
    assert chi_square(counts, expected * len(uniforms)) < 18.47  # 99.9 % point, 4 degrees


def test_temperature_zero_is_greedy_and_its_limit_too() -> None:
    logits = np.array([0.0, 3.0, 2.999, 3.0], np.float32)
    assert choose(logits, 0, 0.999) == 1
    assert choose(np.array([0.0, 3.0, 2.9], np.float32), 1e-300, 0.999) == 1


def test_an_impossible_symbol_is_never_chosen() -> None:
    logits = np.array([-np.inf, 0.0, -np.inf, 0.0, -np.inf], np.float32)
    edges = [0.0, 0.5, np.nextafter(0.5, 0), np.nextafter(1.0, 0)]
    assert {choose(logits, 1.0, u) for u in edges} == {1, 3}


def test_the_seed_decides_the_text(stepper: NumpyStepper) -> None:
    def text(seed: int) -> list[int]:
        return list(generate_ids(stepper, PRIME, SamplingConfig(seed, length=50)))

    assert text(1) == text(1)
    assert text(1) != text(2)
    assert len(text(1)) == 50


def test_the_whole_prime_is_read(stepper: NumpyStepper) -> None:
    def greedy(prime: list[int]) -> list[int]:
        config = SamplingConfig(0, temperature=0, length=9)
        return list(generate_ids(stepper, np.array(prime), config))

    whole = greedy([3])
    for split in range(1, 9):
        assert greedy([3, *whole[:split]])[: 9 - split] == whole[split:]


def test_length_minus_one_has_no_end(stepper: NumpyStepper) -> None:
    endless = generate_ids(stepper, PRIME, SamplingConfig(0, length=-1))
    assert len(list(itertools.islice(endless, 2000))) == 2000


@pytest.mark.parametrize(
    "values",
    [{"temperature": -0.1}, {"temperature": math.nan}, {"temperature": math.inf}, {"length": -2}],
)
def test_values_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"--(temp|length)"):
        SamplingConfig(seed=0, **values)  # type: ignore[arg-type]


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(UsageError, match="--seed -1"):
        SamplingConfig(seed=-1)
