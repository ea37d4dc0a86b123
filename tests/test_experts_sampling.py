"""N-gram experts when a model reads, scores and writes: numpy and native, held to the equation."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.corpus.contiguous import ContiguousText
from charrnn.errors import CheckpointError
from charrnn.experts import layout
from charrnn.experts.codes import COUNT_OF_CODE, code_of
from charrnn.experts.counted_text import CountedText
from charrnn.experts.counting import count
from charrnn.experts.rule import BUCKETS
from charrnn.experts.table import shares_of
from charrnn.files import sealed_file
from charrnn.inference.make_network import make_network
from charrnn.inference.native_network import NativeNetwork
from charrnn.inference.network import Network
from charrnn.inference.numpy_network import NumpyNetwork
from charrnn.inference.parallel_reading import read_carried
from charrnn.inference.scoring import score_carried
from charrnn.inference.writer_state import WriterState
from charrnn.model.cells import CellName
from charrnn.model.checkpoint import Checkpoint
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SAMPLING_PRECISIONS, SamplingPrecision
from charrnn.native import _native
from charrnn.sampling import saved_state
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.place import Place
from charrnn.sampling.texts import Texts
from charrnn.sampling.trained_model import Model
from charrnn.sampling.writers import make_writer
from tests.conftest import random_checkpoint

V = 11
Maker = Callable[..., Network]


@pytest.fixture(params=[NumpyNetwork, NativeNetwork])
def maker(request: pytest.FixtureRequest) -> Maker:
    made: Maker = request.param
    return made


def learned_text(vocab_size: int = V, length: int = 900) -> np.ndarray:
    """The ids of a text in which some contexts are frequent, some rare and most not there."""
    random = np.random.default_rng(5)
    words = [random.integers(0, vocab_size, size) for size in (1, 2, 3, 4, 6, 9, 13)]
    chosen = random.choice(len(words), length)
    return np.concatenate([words[word] for word in chosen])[:length]


def with_experts(
    order: int = 7,
    cell: CellName = "gru",
    *,
    num_layers: int = 1,
    hidden_size: int = 13,
    vocab_size: int = V,
) -> Checkpoint:
    """A model whose net is random, and whose experts have counted `learned_text`."""
    config = ModelConfig(vocab_size, cell, num_layers, hidden_size, 5, ngram_order=order)
    model = random_checkpoint(config, scale=0.3)
    ids = learned_text(vocab_size)
    symbols = np.concatenate([[0], ids + 1]).astype(np.uint16)
    folds = np.concatenate([[255], np.arange(len(ids)) % 9]).astype(np.uint8)
    counted = CountedText(vocab_size, symbols, folds, len(ids))
    table, _ = count(counted, config.ngram_rule)
    shares = shares_of(model.weights["experts.weight"], model.weights["experts.log_offset"])
    model.weights.update(layout.to_tensors(table, shares))
    return model


def alone(model: Checkpoint, maker: Maker, *arguments: Any) -> Network:
    """The network of a model without its experts."""
    config = ModelConfig(
        model.config.vocab_size,
        model.config.cell,
        model.config.num_layers,
        model.config.hidden_size,
        model.config.embedding_size,
    )
    return maker(config, model.weights, *arguments)


def read_ids(vocab_size: int, streams: int, length: int = 60) -> np.ndarray:
    """Ids (T, B) of pieces of `learned_text`, in which now and then a symbol is unknown."""
    random = np.random.default_rng(6)
    text = learned_text(vocab_size)
    starts = random.integers(0, len(text) - length, streams)
    ids = np.stack([text[start : start + length] for start in starts], axis=1)
    ids[random.random(ids.shape) < 0.05] = vocab_size
    return ids


def test_the_logits_are_those_of_the_written_out_equation(maker: Maker) -> None:
    order = 3
    model = with_experts(order)
    network, net = maker(model.config, model.weights), alone(model, maker)
    text = learned_text().tolist()
    counts = Counter(
        tuple(text[start:end])
        for start in range(len(text))
        for end in range(start + 1, min(start + order + 1, len(text)) + 1)
    )
    weight, gate = model.weights["experts.weight"], model.weights["experts.gate"]
    offset = np.exp(model.weights["experts.log_offset"].astype(np.float64))
    ids = read_ids(V, streams=1)[:, 0].tolist()
    state, net_state = network.initial_state(1), net.initial_state(1)
    told = 0
    for place, symbol in enumerate(ids):
        logits, state = network.step(np.array([symbol]), state)
        expected, net_state = net.step(np.array([symbol]), net_state)
        h = net_state[0][-1, 0].astype(np.float64)
        for k in range(1, order + 1):
            context = tuple(ids[max(0, place + 1 - k) : place + 1])
            followers = [v for v in range(V) if counts[(*context, v)]]
            if len(context) < k or V in context or not followers:
                continue
            seen = int(COUNT_OF_CODE[code_of(np.array(counts[context]))])
            level = min(7, math.ceil(math.log2(seen + 1)))
            bucket = 4 * level + sum(len(followers) > most for most in (1, 2, 4))
            g = 2 / (1 + math.exp(-float(gate[k - 1] @ h)))
            for v in followers:
                c = COUNT_OF_CODE[code_of(np.array(counts[(*context, v)]))]
                share = weight[k - 1, bucket] * math.log(1 + c / offset[k - 1, bucket])
                expected[0, v] += g * share
                told += 1
        np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert told > 300


@pytest.mark.parametrize("precision", SAMPLING_PRECISIONS)
@pytest.mark.parametrize(
    ("cell", "num_layers", "hidden_size", "order", "vocab_size"),
    [("gru", 1, 13, 7, V), ("lstm", 2, 37, 3, 66), ("rnn", 2, 18, 16, 300), ("gru", 1, 9, 1, V)],
)
def test_kernels_threads_and_other_streams_change_no_bit(
    cell: CellName,
    num_layers: int,
    hidden_size: int,
    order: int,
    vocab_size: int,
    precision: SamplingPrecision,
) -> None:
    model = with_experts(
        order, cell, num_layers=num_layers, hidden_size=hidden_size, vocab_size=vocab_size
    )
    ids = read_ids(vocab_size, 5)
    inputs, targets = ids[:-1], ids[1:] % vocab_size
    reference = NumpyNetwork(model.config, model.weights, precision)
    nats, after = reference.score(inputs, targets, reference.initial_state(5))
    logits, end = reference.step(ids[-1], after)
    first = NativeNetwork(model.config, model.weights, precision, kernels="portable")
    exact, _ = first.score(inputs, targets, first.initial_state(5))
    exact_logits, _ = first.step(ids[-1], first.read(inputs, first.initial_state(5)))
    np.testing.assert_allclose(exact, nats, atol=2e-4)
    np.testing.assert_allclose(exact_logits, logits, atol=1e-3)
    if precision == "int8":
        np.testing.assert_array_equal(exact_logits, logits)
    for kernels, threads in itertools.product(_native.sampler_kernels(), (1, 2)):
        network = NativeNetwork(model.config, model.weights, precision, threads, kernels)
        found, state = network.score(inputs, targets, network.initial_state(5))
        np.testing.assert_array_equal(found, exact)
        now, state = network.step(ids[-1], state)
        np.testing.assert_array_equal(now, exact_logits)
        np.testing.assert_array_equal(state[-1], end[-1])
        single, one = network.step(
            ids[-1, 2:3], network.read(inputs[:, 2:3], network.initial_state(1))
        )
        np.testing.assert_array_equal(single[0], exact_logits[2])
        for part, whole in zip(one, state, strict=True):
            np.testing.assert_array_equal(part[:, 0], whole[:, 2])


@pytest.mark.parametrize("record_end", [None, 3])
def test_the_native_text_is_the_reference_text_in_int8(record_end: int | None) -> None:
    model = with_experts()
    reference = NumpyNetwork(model.config, model.weights, "int8")
    place = Place.after(reference, learned_text()[:20], record_end)
    config = SamplingConfig(3, length=150, samples=3)
    expected = make_writer(reference, place, config).write(150)
    assert record_end is None or 3 < (expected == record_end).sum() < 100
    for kernels, threads in itertools.product(_native.sampler_kernels(), (1, 2)):
        native = NativeNetwork(model.config, model.weights, "int8", threads, kernels)
        writer = make_writer(native, Place.after(native, learned_text()[:20], record_end), config)
        blocks = [writer.write(steps) for steps in (1, 49, 100)]
        np.testing.assert_array_equal(np.concatenate(blocks), expected)


def test_probabilities_sum_to_one(maker: Maker) -> None:
    model = with_experts()
    network = maker(model.config, model.weights)
    ids = learned_text()[:40, None]
    chances = [
        np.exp(-network.score(ids, np.full_like(ids, v), network.initial_state(1))[0])
        for v in range(V)
    ]
    np.testing.assert_allclose(np.sum(chances, axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("precision", SAMPLING_PRECISIONS)
def test_experts_that_add_nothing_change_no_bit(maker: Maker, precision: SamplingPrecision) -> None:
    model = with_experts()
    model.weights[layout.SHARES] = np.zeros_like(model.weights[layout.SHARES])
    config = SamplingConfig(4, length=80, samples=2)
    texts = []
    for network in (
        maker(model.config, model.weights, precision),
        alone(model, maker, precision),
    ):
        place = Place.after(network, learned_text()[:20])
        logits, _ = network.step(np.array([place.last]), place.state)
        texts.append((logits, make_writer(network, place, config).write(80)))
    for found, expected in zip(*texts, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_symbol_that_was_not_seen_gets_no_share_whatever_a_file_says(maker: Maker) -> None:
    """In records a lead of the count 0 stands in the table, so that it can be a context."""
    model = with_experts(2)
    network = maker(model.config, model.weights)
    logits, _ = network.step(np.array([3]), network.initial_state(1))
    model.weights[layout.SHARES] = model.weights[layout.SHARES].copy()
    model.weights[layout.SHARES][:, :, 0] = 100
    changed = maker(model.config, model.weights)
    np.testing.assert_array_equal(changed.step(np.array([3]), changed.initial_state(1))[0], logits)


def test_the_last_symbols_are_remembered_and_an_unknown_one_ends_them(maker: Maker) -> None:
    model = with_experts(3)
    network = maker(model.config, model.weights)
    ids = np.array([[1, 2], [4, V], [5, 7], [9, 8]])
    state = network.read(ids, network.initial_state(2))
    np.testing.assert_array_equal(state[-1], [[[5, 6, 10], [0, 8, 9]]])
    assert state[-1].dtype == np.int32
    _, state = network.step(np.array([V, 0]), state)
    np.testing.assert_array_equal(state[-1], [[[0, 0, 0], [8, 9, 1]]])


def test_a_step_changes_no_state_that_it_is_given(maker: Maker) -> None:
    model = with_experts()
    network = maker(model.config, model.weights)
    state = network.read(learned_text()[:20, None], network.initial_state(1))
    before = [part.copy() for part in state]
    logits, _ = network.step(np.array([2]), state)
    network.step(np.array([5]), network.initial_state(1))
    np.testing.assert_array_equal(network.step(np.array([2]), state)[0], logits)
    for part, copy in zip(state, before, strict=True):
        np.testing.assert_array_equal(part, copy)


def test_a_record_begins_where_nothing_was_read(maker: Maker) -> None:
    model = with_experts(num_layers=2)
    network = maker(model.config, model.weights)
    place = Place.after(network, learned_text()[:20], record_end=3)
    writer = make_writer(network, place, SamplingConfig(0, length=-1))
    while writer.write(1)[0, 0] != 3:
        assert writer.state.position < 1000
    for part in writer.state.network_state:
        assert not part.any()


def test_what_a_text_cost_is_known_across_records_too(maker: Maker) -> None:
    model = with_experts()
    network = maker(model.config, model.weights)
    config = SamplingConfig(1, length=60)
    place = Place.after(network, np.array([3]), record_end=3)
    texts = Texts(network, model.vocabulary, place, config, keep=True)
    list(texts)
    (text,) = texts.whole()
    assert 1 < (text == 3).sum() < 30
    ids, nats = np.array([3, *text]), 0.0
    for record in np.split(ids, np.flatnonzero(ids == 3)[1:]):  # each with the end before it
        following = np.append(record[1:], 3)[:, None]
        costs, _ = network.score(record[:, None], following, network.initial_state(1))
        nats += float(costs.sum())
    if ids[-1] == 3:  # nothing was written after the last end
        nats -= float(costs.sum())
    else:  # and the last record has none
        nats -= float(costs[-1, 0])
    (found,) = texts.bits_per_char()
    assert found == pytest.approx(nats / math.log(2) / 60, rel=1e-5)


@pytest.mark.parametrize("cell", ["gru", "lstm", "jordan"])
def test_a_text_goes_on_from_a_file_as_if_it_had_never_stopped(
    cell: CellName, tmp_path: Path
) -> None:
    model = with_experts(cell=cell)
    network = make_network(model.config, model.weights, threads=1)
    config = SamplingConfig(0, length=40, temperature=0)
    place = Place.after(network, learned_text()[:30])
    whole = make_writer(network, place, config).write(40)[:, 0]
    path = tmp_path / "place.safetensors"
    saved_state.write(path, place.then(network, whole[:13]), model)
    again = saved_state.read(path, model)
    assert again.state[-1].tolist() == [[(whole[5:12] + 1).tolist()]]
    rest = make_writer(network, again, config).write(27)[:, 0]
    np.testing.assert_array_equal(rest, whole[13:])


@pytest.mark.parametrize("recent", [np.full((1, 1, 7), V + 1), np.full((1, 1, 7), -1), None])
def test_a_saved_state_that_remembers_no_symbols_is_refused(recent: Any, tmp_path: Path) -> None:
    model = with_experts()
    network = make_network(model.config, model.weights)
    path = tmp_path / "place.safetensors"
    saved_state.write(path, Place.after(network, learned_text()[:30]), model)
    header, tensors = sealed_file.read(path)
    del tensors["recent"]
    if recent is not None:
        tensors["recent"] = recent.astype(np.int32)
    sealed_file.write(path, header, tensors)
    with pytest.raises(CheckpointError, match="is inconsistent: "):
        saved_state.read(path, model)


def test_recent_symbols_that_do_not_exist_are_refused_natively() -> None:
    model = with_experts(2)
    network = NativeNetwork(model.config, model.weights)
    h = network.initial_state(1)[0]
    for recent, message in (
        (np.full((1, 1, 2), V + 1, np.int32), "recent holds what is no symbol"),
        (np.full((1, 1, 2), -1, np.int32), "recent holds what is no symbol"),
        (np.zeros((1, 1, 3), np.int32), "recent has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            network.read(np.array([[1]]), (h, recent))
        state = WriterState.at((h, recent), 1, None, 1)
        with pytest.raises(ValueError, match=message):
            make_writer(network, Place(state.network_state, 1), SamplingConfig(0)).write(1)


@pytest.mark.parametrize("cell", ["gru", "bow"])
def test_the_parallel_score_is_the_sequential_one(cell: CellName) -> None:
    model = with_experts(cell=cell)
    network = make_network(model.config, model.weights, threads=2)
    ids = learned_text(length=4000).astype(np.uint8)
    sequential = network.score(ids[:-1, None], ids[1:, None], network.initial_state(1))
    score = score_carried(network, ContiguousText(ids), streams=8)
    assert score.nats == pytest.approx(float(sequential[0].sum()), rel=2e-6)
    for one, other in zip(read_carried(network, ids[:-1], 3), sequential[1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_prime_and_an_expression_bind_a_text_as_they_bind_that_of_a_net(tmp_path: Path) -> None:
    model = Model(tmp_path / "model.safetensors", with_experts())
    options: dict[str, Any] = {"seed": 3, "length": 40}
    prime = learned_text()[:25]
    primed = model.vocabulary.decode(prime)
    reference = NumpyNetwork(model.config, model.checkpoint.weights, "int8")
    for match in (None, "(?:[abc]{3}\n)+"):
        config = SamplingConfig(match=match, **options)
        found = "".join(model.generate(primed, precision="int8", match=match, **options))
        texts = Texts(reference, model.vocabulary, Place.after(reference, prime), config, keep=True)
        list(texts)
        assert found == model.vocabulary.decode(texts.whole()[0])
        assert len(found) == 40
    assert re.fullmatch("(?:[abc]{3}\n)+", found)


def test_the_buckets_of_these_tests_are_many() -> None:
    """The texts above meet contexts of all sorts."""
    model = with_experts()
    table = layout.from_tensors(model.weights, V, 7)
    nodes, _ = table.walk(learned_text()[:, None], table.nothing_read(1))
    slots = table.entries(nodes.ravel()).slots
    assert len(np.unique(slots // 128)) > BUCKETS // 3
