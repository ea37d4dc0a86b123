"""Choosing and writing: the same rules in numpy and in the native loop, held to the softmax."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.errors import UsageError
from charrnn.inference.native_network import NativeNetwork
from charrnn.inference.network import Network
from charrnn.inference.numpy_network import NumpyNetwork
from charrnn.inference.writer_state import FINAL_STATE, NOTHING_ALLOWED, WriterState
from charrnn.model import checkpoint
from charrnn.model.cells import CELLS
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SAMPLING_PRECISIONS, SamplingPrecision
from charrnn.sampling.automaton import FORBIDDEN, Automaton
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.filters import FILTERS, active_filters, choose
from charrnn.sampling.place import Place
from charrnn.sampling.writers import NativeWriter, NumpyWriter, make_writer, write_blocks
from tests.conftest import random_checkpoint

CONFIG = ModelConfig(vocab_size=11, hidden_size=13, embedding_size=5)
PRIME = np.array([3, 1, 4], np.uint8)
PROSE = Path(__file__).parent / "fixtures" / "prose.safetensors"
"""A small LSTM that learned from this repository's own documents and sources."""

Maker = Callable[..., Network]


@pytest.fixture(params=[NumpyNetwork, NativeNetwork])
def maker(request: pytest.FixtureRequest) -> Maker:
    made: Maker = request.param
    return made


@pytest.fixture
def network(maker: Maker) -> Network:
    return maker(CONFIG, random_checkpoint(CONFIG).weights)


def always(maker: Maker, logits: list[float]) -> Network:
    """A network whose logits are these, whatever it reads."""
    config = ModelConfig(len(logits), "rnn", hidden_size=1, embedding_size=0)
    weights = {
        name: np.zeros(shape, np.float32) for name, shape in config.parameter_shapes().items()
    }
    weights["decoder.bias"] = np.array(logits, np.float32)
    return maker(config, weights)


def written(
    network: Network, config: SamplingConfig, prime: Any = PRIME, **limits: Any
) -> np.ndarray:
    """The ids of S texts, n characters each: (n, S)."""
    place = Place.after(network, np.asarray(prime, np.uint8))
    writer = make_writer(network, place, config, **limits)
    blocks = list(write_blocks(writer, config.length))
    return np.concatenate(blocks) if blocks else np.empty((0, config.samples), np.int32)


def text(network: Network, **options: Any) -> list[int]:
    prime = options.pop("prime", PRIME)
    limits = {name: options.pop(name) for name in ("allowed", "automaton") if name in options}
    config = SamplingConfig(**{"seed": 0, "length": 50, **options})
    return [int(i) for i in written(network, config, prime, **limits)[:, 0]]


def softmax(logits: Any) -> np.ndarray:
    weights = np.exp(np.asarray(logits, np.float64))
    return np.asarray(weights / weights.sum())


LOGITS = [0.0, 1.0, -1.0, 2.0, 0.5, 1.5]
P = softmax(LOGITS)  # by rank: symbols 3, 5, 1, 4, 0, 2


def left(symbols: list[int], temperature: float = 1.0) -> np.ndarray:
    """What should be drawn if only these symbols are left."""
    chances = np.zeros(6)
    chances[symbols] = softmax(np.array(LOGITS)[symbols] / temperature)
    return chances


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, P),
        ({"temperature": 0.5}, softmax(np.array(LOGITS) / 0.5)),
        ({"temperature": 2.0}, softmax(np.array(LOGITS) / 2)),
        ({"top_k": 2}, left([3, 5])),
        ({"top_k": 4, "temperature": 3.0}, left([1, 3, 4, 5], 3.0)),
        ({"top_k": 6}, P),
        ({"top_p": P[3] + P[5] + 0.01}, left([1, 3, 5])),
        ({"top_p": P[3] - 0.01}, left([3])),
        # top_p looks at what top_k left: two symbols, of which the likelier has 0.62
        ({"top_k": 2, "top_p": 0.6}, left([3])),
        ({"top_k": 2, "top_p": 0.7}, left([3, 5])),
        # the temperature comes last: at 5 these filters would keep more
        ({"top_p": 0.7, "temperature": 5.0}, left([1, 3, 5], 5.0)),
        ({"min_p": 0.3}, left([1, 3, 5])),
        ({"min_p": 0.3, "temperature": 5.0}, left([1, 3, 5], 5.0)),
        ({"min_p": 1.0}, left([3])),
        ({"allowed": np.array([1, 1, 1, 0, 1, 1], bool)}, left([0, 1, 2, 4, 5])),
        ({"allowed": np.array([1, 1, 1, 0, 1, 1], bool), "top_k": 2}, left([1, 5])),
        ({"allowed": np.array([1, 1, 1, 0, 1, 1], bool), "min_p": 0.5}, left([1, 5])),
    ],
)
def test_what_is_drawn_follows_the_softmax_of_what_the_filters_leave(
    maker: Maker, options: dict[str, Any], expected: np.ndarray
) -> None:
    count = 20_000 if maker is NativeNetwork else 3000
    options = {"temperature": 1.0, **options}
    drawn = text(always(maker, LOGITS), prime=[0], length=count, **options)
    counts = np.bincount(drawn, minlength=6)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    chi_square = ((counts - count * expected)[possible] ** 2 / (count * expected[possible])).sum()
    limits = {1: 1e-9, 2: 10.83, 3: 13.82, 4: 16.27, 5: 18.47, 6: 20.52}  # the 99.9 % points
    assert chi_square < limits[int(possible.sum())]


def test_temperature_zero_is_greedy_and_so_is_a_temperature_near_it(maker: Maker) -> None:
    network = always(maker, [0.0, 3.0, 2.999, 3.0])
    assert set(text(network, temperature=0, prime=[0])) == {1}
    assert set(text(always(maker, [0.0, 3.0, 2.9]), temperature=1e-300, prime=[0])) == {1}
    forbidden = np.array([1, 0, 1, 0], bool)
    assert set(text(network, temperature=0, prime=[0], allowed=forbidden)) == {2}


def test_numpy_and_native_know_the_same_filters_in_the_same_order() -> None:
    from charrnn.native import _native

    assert _native.filters() == list(FILTERS)


def test_no_filter_applies_unless_it_is_asked_for() -> None:
    assert active_filters(SamplingConfig(0)) == {}


def test_a_filter_that_does_not_exist_or_may_not_be_so_is_refused_natively() -> None:
    network = NativeNetwork(CONFIG, random_checkpoint(CONFIG).weights)
    state = WriterState.at(network.initial_state(1), 3, None, 1)
    out = np.empty((2, 1), np.int32)
    options: dict[str, Any] = {
        "symbols_left": 2, "seed": 0, "temperature": 1.0, "allowed": None, "automaton": None,
    }  # fmt: skip
    with pytest.raises(ValueError, match=f"'best' is not one of {', '.join(FILTERS)}"):
        network.write(state, out, filters={"best": 1.0}, **options)
    for name in FILTERS:
        for value in (-1.0, math.nan):
            with pytest.raises(ValueError, match=f"filter {name} may not be"):
                network.write(state, out, filters={name: value}, **options)
    with pytest.raises(ValueError, match="temperature may not be negative"):
        network.write(state, out, filters={}, **{**options, "temperature": -0.5})


def test_an_impossible_symbol_is_never_chosen() -> None:
    logits = np.array([-np.inf, 0.0, -np.inf, 0.0, -np.inf], np.float32)
    edges = [0.0, 0.5, np.nextafter(0.5, 0), np.nextafter(1.0, 0)]
    assert {choose(logits, SamplingConfig(0), u) for u in edges} == {1, 3}
    assert choose(logits, SamplingConfig(0), 0.5, np.zeros(5, bool)) == -1


def test_random_numbers_are_those_that_are_documented(maker: Maker) -> None:
    """With two equal symbols the choice shows the first bit of every random number."""
    network = always(maker, [0.0, 0.0])
    config = SamplingConfig(seed=2**64 - 5, length=23, samples=3)
    drawn = written(network, config, [0])
    for sample in range(3):
        philox = np.random.Philox(key=2**64 - 5, counter=[0, 0, sample, 0])
        numbers = np.random.Generator(philox).random(23)
        np.testing.assert_array_equal(drawn[:, sample], numbers >= 0.5)


def test_the_seed_decides_the_text(network: Network) -> None:
    assert text(network, seed=1) == text(network, seed=1)
    assert text(network, seed=1) != text(network, seed=2)
    assert len(text(network, seed=1)) == 50


def test_the_whole_prime_is_read(network: Network) -> None:
    whole = text(network, temperature=0, length=9, prime=[3])
    for split in range(1, 9):
        prime = np.array([3, *whole[:split]])
        assert text(network, temperature=0, length=9, prime=prime)[: 9 - split] == whole[split:]


def test_blocks_grow_and_length_minus_one_has_no_end(network: Network) -> None:
    config = SamplingConfig(0, length=-1)
    blocks = write_blocks(make_writer(network, Place.after(network, PRIME), config), -1)
    sizes = [len(block) for block in itertools.islice(blocks, 8)]
    assert sizes[0] == 1
    assert max(sizes) > 1
    assert text(network, length=0) == []


def test_a_sample_does_not_depend_on_how_many_there_are(maker: Maker) -> None:
    config = ModelConfig(11, "lstm", 2, 37, 5)
    network = maker(config, random_checkpoint(config, scale=0.2).weights)
    many = written(network, SamplingConfig(7, length=60, samples=9))
    few = written(network, SamplingConfig(7, length=60, samples=2))
    np.testing.assert_array_equal(many[:, :2], few)
    assert many[:, 0].tolist() == text(network, seed=7, length=60)
    assert len({tuple(column) for column in many.T}) == 9


@pytest.mark.parametrize("cell", [n for n, cell in CELLS.items() if "native" in cell.kernels])
@pytest.mark.parametrize("precision", SAMPLING_PRECISIONS)
def test_kernels_threads_and_other_samples_change_no_bit(
    cell: Any, precision: SamplingPrecision
) -> None:
    from charrnn.native import _native

    for layers, hidden in ((1, 13), (2, 70), (3, 37)):
        config = ModelConfig(19, cell, layers, hidden, 5)
        weights = random_checkpoint(config, scale=0.2).weights
        ids = np.random.default_rng(0).integers(0, 20, (23, 5))
        first = NativeNetwork(config, weights, precision, kernels="portable")
        expected, state = first.score(ids[:-1], ids[1:] % 19, first.initial_state(5))
        logits, _ = first.step(ids[-1], state)
        for kernels in _native.sampler_kernels():
            for threads in (1, 2, 3):
                network = NativeNetwork(config, weights, precision, threads, kernels)
                alone = network.read(ids[:-1, 2:3], network.initial_state(1))
                found = network.read(ids[:-1], network.initial_state(5))
                np.testing.assert_array_equal(network.step(ids[-1], found)[0], logits)
                for one, other, single in zip(found, state, alone, strict=True):
                    np.testing.assert_array_equal(one, other)
                    np.testing.assert_array_equal(single, other[:, 2:3])
        reference = NumpyNetwork(config, weights, precision)
        nats, _ = reference.score(ids[:-1], ids[1:] % 19, reference.initial_state(5))
        np.testing.assert_allclose(nats, expected, atol=2e-4)
        if precision == "int8":  # sums of integers, and tanh by the same steps
            after = reference.read(ids[:-1], reference.initial_state(5))
            np.testing.assert_array_equal(reference.step(ids[-1], after)[0], logits)


def test_bf16_is_fp32_on_rounded_weights() -> None:
    import torch

    config = ModelConfig(11, "gru", 2, 37, 5)
    weights = random_checkpoint(config).weights
    rounded = {
        name: torch.from_numpy(w).bfloat16().float().numpy()
        if w.ndim == 2 and name not in ("embedding.weight", "rnn.weight_ih_l0")
        else w
        for name, w in weights.items()
    }
    ids = np.random.default_rng(0).integers(0, 11, (23, 3))
    for maker in (NumpyNetwork, NativeNetwork):
        one, other = maker(config, weights, "bf16"), maker(config, rounded)
        state = one.initial_state(3)
        np.testing.assert_array_equal(one.read(ids, state), other.read(ids, state))


def test_large_rows_are_still_summed_exactly_in_int8() -> None:
    """Sums that float32 could not hold: 1,500 products of up to 127 * 127."""
    config = ModelConfig(7, "rnn", 1, 1500, 0)
    weights = random_checkpoint(config, scale=0.02).weights
    weights["rnn.weight_hh_l0"] = np.abs(weights["rnn.weight_hh_l0"]) + np.float32(0.2)
    ids = np.random.default_rng(0).integers(0, 7, (4, 2))
    native, reference = (m(config, weights, "int8") for m in (NativeNetwork, NumpyNetwork))
    for network in (native, reference):
        assert network.precision == "int8"
    state = native.initial_state(2)
    np.testing.assert_array_equal(native.read(ids, state), reference.read(ids, state))


@pytest.mark.parametrize("precision", SAMPLING_PRECISIONS)
def test_the_native_text_is_the_reference_text(precision: SamplingPrecision) -> None:
    """10,000 characters of a trained model, plainly and through every filter."""
    loaded = checkpoint.read(PROSE)
    native = NativeNetwork(loaded.config, loaded.weights, precision, threads=2)
    reference = NumpyNetwork(loaded.config, loaded.weights, precision)
    start = loaded.vocabulary.start()
    options: list[dict[str, Any]] = [
        {"length": 10_000 if precision == "fp32" else 1000},
        {"temperature": 0.7, "top_k": 20, "top_p": 0.9, "min_p": 0.02, "length": 1000},
    ]
    for choice in options:
        config = SamplingConfig(3, **choice)
        native_text = loaded.vocabulary.decode(written(native, config, start)[:, 0])
        assert native_text == loaded.vocabulary.decode(written(reference, config, start)[:, 0])
        assert len(native_text) == choice["length"]


def test_the_model_of_these_tests_has_learned_something() -> None:
    loaded = checkpoint.read(PROSE)
    assert loaded.losses.val_nats is not None
    assert loaded.losses.val_nats < 2.6
    assert PROSE.stat().st_size < 100_000


def words_automaton(vocab_size: int) -> Automaton:
    """Symbols 0 and 1 in turn, then, after the fourth, only 2, which ends the text."""
    next_state = np.full((6, 4), FORBIDDEN, np.int32)
    for state in range(4):
        next_state[state, state % 2] = state + 1
    next_state[4, 2] = 5
    classes = np.minimum(np.arange(vocab_size), 3).astype(np.int32)
    final = np.array([0, 0, 0, 0, 0, 1], np.uint8)
    return Automaton(
        classes, next_state, final, np.arange(5, -1, -1, dtype=np.int32), np.zeros(6, np.int32)
    )


def test_an_automaton_decides_what_may_follow_and_where_the_text_ends(network: Network) -> None:
    config = SamplingConfig(0, length=50, samples=3)
    writer = make_writer(
        network, Place.after(network, PRIME), config, automaton=words_automaton(11)
    )
    blocks = np.concatenate(list(write_blocks(writer, 50)))
    np.testing.assert_array_equal(blocks, np.array([[0, 1, 0, 1, 2]] * 3).T)
    assert writer.state.ended.tolist() == [FINAL_STATE] * 3


def test_a_text_ends_where_nothing_is_allowed(network: Network) -> None:
    allowed = np.ones(11, bool)
    allowed[1] = False
    config = SamplingConfig(0, length=50, top_k=3)
    writer = make_writer(network, Place.after(network, PRIME), config, allowed, words_automaton(11))
    assert isinstance(writer, NumpyWriter | NativeWriter)
    blocks = np.concatenate(list(write_blocks(writer, 50)))
    assert blocks[:, 0].tolist() == [0, -1]
    assert writer.state.ended.tolist() == [NOTHING_ALLOWED]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    states=st.integers(1, 4),
    samples=st.integers(1, 4),
    top_k=st.sampled_from([0, 1, 3]),
    top_p=st.sampled_from([1.0, 0.8, 0.3]),
    min_p=st.sampled_from([0.0, 0.1]),
    temperature=st.sampled_from([0.0, 0.6, 1.7]),
)
def test_any_automaton_gives_the_same_text_in_both_writers(
    seed: int, states: int, samples: int, **filters: Any
) -> None:
    random = np.random.default_rng(seed)
    automaton = Automaton(
        random.integers(0, 3, 11).astype(np.int32),
        random.integers(-1, states, (states, 3)).astype(np.int32),
        (random.random(states) < 0.2).astype(np.uint8),
        random.integers(0, 25, states).astype(np.int32),
        np.zeros(states, np.int32),
    )
    weights = random_checkpoint(CONFIG).weights
    config = SamplingConfig(seed, length=30, samples=samples, **filters)
    both = []
    for maker in (NumpyNetwork, NativeNetwork):
        network = maker(CONFIG, weights, "int8")
        writer = make_writer(network, Place.after(network, PRIME), config, automaton=automaton)
        blocks = list(write_blocks(writer, 30))
        state = writer.state.automaton_state, writer.state.ended
        both.append((np.concatenate(blocks), state))
    np.testing.assert_array_equal(both[0][0], both[1][0])
    np.testing.assert_array_equal(both[0][1], both[1][1])


def test_an_automaton_whose_tables_do_not_fit_is_refused() -> None:
    network = NativeNetwork(CONFIG, random_checkpoint(CONFIG).weights)
    good = words_automaton(11)
    bad = good.next_state.copy()
    bad[0, 0] = 6
    config = SamplingConfig(0)
    for automaton in (
        replace(good, next_state=bad),
        replace(good, symbol_class=good.symbol_class + np.int32(1)),
        replace(good, final=good.final[:-1]),
        replace(good, distance=good.distance[:-1]),
    ):
        with pytest.raises(ValueError, match=r"state|class|final|distance"):
            make_writer(network, Place.after(network, PRIME), config, automaton=automaton)
    writer = make_writer(
        network, Place.after(network, PRIME), config, automaton=words_automaton(12)
    )
    with pytest.raises(ValueError, match="symbol_class has shape \\(12\\), not \\(11\\)"):
        writer.write(1)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"length": -2},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_p": math.nan},
        {"min_p": -0.1},
        {"min_p": 1.1},
        {"samples": 0},
        {"samples": 2, "length": -1},
        {"seed": -1},
        {"seed": 2**64},
    ],
)
def test_values_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"`{next(iter(options))}` "):
        SamplingConfig(**{"seed": 0, **options})
