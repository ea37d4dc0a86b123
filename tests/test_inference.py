"""A trained model without torch: its steps are the training's, and its scores are exact."""

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.engines.reference import ReferenceEngine
from charrnn.inference.make_network import make_network
from charrnn.inference.native_network import NativeNetwork
from charrnn.inference.network import Network
from charrnn.inference.numpy_network import NumpyNetwork
from charrnn.inference.parallel_reading import read_carried
from charrnn.inference.quantization import Int8Matrix
from charrnn.inference.scoring import score_carried, score_sampled, score_windows
from charrnn.inference.threads import ThreadTrials
from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import ModelConfig
from charrnn.plan.engines import ENGINE_CELLS
from charrnn.training.char_rnn import CharRNN
from charrnn.training.torch_scorer import TorchScorer
from tests.conftest import random_checkpoint

Maker = Callable[..., Network]


@pytest.fixture(params=[NumpyNetwork, NativeNetwork])
def maker(request: pytest.FixtureRequest) -> Maker:
    made: Maker = request.param
    return made


NETWORKS = [
    *((NumpyNetwork, cell) for cell in CELLS),
    *((NativeNetwork, cell) for cell in ENGINE_CELLS["native"]),
]


def config_of(cell: CellName, embedding_size: int, num_layers: int = 2) -> ModelConfig:
    return ModelConfig(
        11, cell, num_layers=num_layers, hidden_size=13, embedding_size=embedding_size
    )


@pytest.mark.parametrize("embedding_size", [0, 5])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize(("maker", "cell"), NETWORKS)
def test_a_step_gives_the_trained_models_logits(
    cell: CellName, num_layers: int, embedding_size: int, maker: Maker
) -> None:
    config = config_of(cell, embedding_size, num_layers)
    weights = random_checkpoint(config, scale=0.3).weights
    model = CharRNN(config, torch.Generator())
    model.load_weights(weights)
    ids = torch.randint(0, 11, (17, 3), generator=torch.Generator().manual_seed(0))
    expected, end = model(ids, model.initial_state(3), ReferenceEngine())
    network = maker(config, weights)
    state = network.initial_state(3)
    for step, row in enumerate(ids.numpy()):
        logits, state = network.step(row, state)
        np.testing.assert_allclose(logits, expected[step].detach().numpy(), atol=1e-5)
    read = network.read(ids.numpy(), network.initial_state(3))
    for one, other, same in zip(state, end, read, strict=True):
        np.testing.assert_allclose(one, other.detach().numpy(), atol=1e-5)
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("embedding_size", [0, 5])
def test_the_unknown_symbol_is_an_empty_one_hot_vector(embedding_size: int, maker: Maker) -> None:
    config = config_of("lstm", embedding_size)
    weights = random_checkpoint(config).weights
    vocabulary = Vocabulary("abcdefghijk")
    x = vocabulary.one_hot([vocabulary.unknown_id])  # (1, V)
    if embedding_size:
        x = x @ weights["embedding.weight"]
    module = torch.nn.LSTM(embedding_size or 11, 13, 2)
    module.load_state_dict(
        {n.removeprefix("rnn."): torch.from_numpy(w) for n, w in weights.items() if "rnn" in n}
    )
    hidden, _ = module(torch.from_numpy(x)[None])
    expected = hidden[0].detach().numpy() @ weights["decoder.weight"].T + weights["decoder.bias"]
    network = maker(config, weights)
    logits, _ = network.step(np.array([vocabulary.unknown_id]), network.initial_state(1))
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("length", [2, 3, 129, 2500, 9001])
@pytest.mark.parametrize("cell", CELLS)
def test_the_parallel_score_is_the_sequential_one(cell: CellName, length: int) -> None:
    config = config_of(cell, 5)
    weights = random_checkpoint(config, scale=0.3).weights
    ids = np.random.default_rng(1).integers(0, 11, length).astype(np.uint8)
    network = NumpyNetwork(config, weights)
    state = network.initial_state(1)
    nats = 0.0
    for symbol, following in itertools.pairwise(ids):
        logits, state = network.step(np.array([symbol]), state)
        exact = logits[0].astype(np.float64)
        nats += float(np.log(np.exp(exact).sum()) - exact[following])
    model = CharRNN(config, torch.Generator())
    model.load_weights(weights)
    fastest = make_network(config, weights, threads=2)
    for scorer in (network, fastest, TorchScorer(model, ReferenceEngine())):
        score = score_carried(scorer, ContiguousText(ids), streams=8)
        assert score.characters == length - 1
        assert score.nats == pytest.approx(nats, rel=2e-6)


def test_a_net_that_forgets_nothing_is_still_scored_and_primed_exactly(maker: Maker) -> None:
    """A counter: its state never falls in with that of another reading, so none may be saved."""
    config = ModelConfig(2, "rnn", hidden_size=1, embedding_size=0)
    weights = {
        "rnn.weight_ih_l0": np.array([[0.0, 1e-3]], np.float32),
        "rnn.weight_hh_l0": np.array([[1.0]], np.float32),
        "rnn.bias_ih_l0": np.zeros(1, np.float32),
        "rnn.bias_hh_l0": np.zeros(1, np.float32),
        "decoder.weight": np.array([[3.0], [-3.0]], np.float32),
        "decoder.bias": np.zeros(2, np.float32),
    }
    ids = np.random.default_rng(2).integers(0, 2, 5000).astype(np.uint8)
    network = maker(config, weights)
    text, parts = ContiguousText(ids[:1500]), map(ContiguousText, np.split(ids[:1500], 10))
    alone, parallel = (score_carried(network, text, streams).nats for streams in (1, 8))
    assert parallel == pytest.approx(alone, rel=1e-5)
    zeros = sum(score_carried(network, part, 1).nats for part in parts)
    assert abs(zeros - alone) > 1  # the carried state does matter here
    one, other = (read_carried(network, ids, streams)[0] for streams in (1, 4))
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_an_output_that_grows_without_bound_is_scored_exactly() -> None:
    """A ReLU that counts: far from zero its tanh would say that nothing changes any more."""
    config = ModelConfig(2, "irnn", hidden_size=1, embedding_size=0)
    weights = {
        "rnn.weight_ih_l0": np.array([[0.0, 0.02]], np.float32),
        "rnn.weight_hh_l0": np.array([[1.0]], np.float32),
        "rnn.bias_ih_l0": np.zeros(1, np.float32),
        "rnn.bias_hh_l0": np.zeros(1, np.float32),
        "decoder.weight": np.array([[0.1], [-0.1]], np.float32),
        "decoder.bias": np.zeros(2, np.float32),
    }
    ids = np.random.default_rng(2).integers(0, 2, 3000).astype(np.uint8)
    network, text = NumpyNetwork(config, weights), ContiguousText(ids)
    alone, parallel = (score_carried(network, text, streams).nats for streams in (1, 8))
    assert parallel == pytest.approx(alone, rel=1e-5)


def test_a_bag_that_is_read_in_parallel_begins_afresh_where_it_would_anyway() -> None:
    config = config_of("bow", 5)
    network = NumpyNetwork(config, random_checkpoint(config, scale=0.3).weights)
    read = 0

    class Counting:
        """The network, and how many characters it is given."""

        def __init__(self) -> None:
            self.config = config
            self.initial_state = network.initial_state

        def score(self, inputs, targets, state):  # type: ignore[no-untyped-def]
            nonlocal read
            read += inputs.size
            return network.score(inputs, targets, state)

    ids = np.random.default_rng(1).integers(0, 11, 9001).astype(np.uint8)
    text = ContiguousText(ids)
    found = score_carried(Counting(), text, streams=8)
    assert found.nats == pytest.approx(score_carried(network, text, streams=1).nats, rel=1e-6)
    assert read < 1.2 * len(ids)  # and not once for each stream


def test_int8_takes_a_state_of_any_size() -> None:
    random = np.random.default_rng(5)
    matrix = random.normal(size=(23, 40)).astype(np.float32)
    for size in (0.5, 30.0, 4e4):
        h = (size * random.uniform(-1, 1, (3, 40))).astype(np.float32)
        exact = h.astype(np.float64) @ matrix.T
        error = np.abs(h @ Int8Matrix(matrix).T - exact).max()
        assert error < 0.02 * np.abs(exact).max(), size


def test_a_long_prime_is_read_in_parallel_and_to_its_end(maker: Maker) -> None:
    config = config_of("lstm", 5)
    network = maker(config, random_checkpoint(config, scale=0.3).weights)
    ids = np.random.default_rng(3).integers(0, 11, 6007).astype(np.uint8)
    expected = network.read(ids[:, None], network.initial_state(1))
    for one, other in zip(read_carried(network, ids), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("length", [2, 20, 21, 22, 143, 500])
def test_windows_are_read_from_the_zero_state(length: int) -> None:
    config = config_of("lstm", 5)
    ids = np.random.default_rng(3).integers(0, 11, length).astype(np.uint8)
    scorer = NumpyNetwork(config, random_checkpoint(config, scale=0.3).weights)
    score = score_windows(scorer, ContiguousText(ids), window=20, streams=3)
    parts = [ContiguousText(ids[i : i + 21]) for i in range(0, length - 1, 20)]
    apart = [score_carried(scorer, part, 1) for part in parts]
    assert score.characters == length - 1 == sum(part.characters for part in apart)
    assert score.nats == pytest.approx(sum(part.nats for part in apart), rel=1e-6)


def test_the_estimate_is_close_to_the_exact_score_and_reads_what_it_was_told_to() -> None:
    config = config_of("gru", 5)
    ids = np.random.default_rng(1).integers(0, 11, 40_000).astype(np.uint8)
    network = NativeNetwork(config, random_checkpoint(config).weights)
    text = ContiguousText(ids)
    exact = score_carried(network, text)
    estimate = score_sampled(network, text, 6400)
    assert estimate.characters == 6400
    assert estimate.nats_per_char == pytest.approx(exact.nats_per_char, rel=0.05)
    assert score_sampled(network, text, 39_000) == exact


class Restless:
    """A scorer whose states never settle, as those of a rounded network may not."""

    config = ModelConfig(7, "gru", 1, 5)

    def __init__(self) -> None:
        self.read = 0

    def initial_state(self, batch_size: int) -> tuple[np.ndarray[Any, Any], ...]:
        return (np.zeros((1, batch_size, 5), np.float32),)

    def score(
        self, inputs: np.ndarray[Any, Any], targets: np.ndarray[Any, Any], state: Any
    ) -> tuple[np.ndarray[Any, Any], Any]:
        self.read += inputs.size
        return np.full(inputs.shape, 2.0), tuple(part + self.read for part in state)


def test_an_estimate_reads_a_text_a_few_times_though_states_never_settle() -> None:
    text, scorer = ContiguousText(np.zeros(5001, np.uint8)), Restless()
    score = score_sampled(scorer, text, 4900)
    assert (score.characters, score.nats_per_char) == (5000, 2.0)
    assert scorer.read < 4 * 5000 + 200


def test_threads_that_do_not_pay_are_given_up_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    step_s = {1: 1.0, 4: 3.0}
    used: list[int] = []
    clock = SimpleNamespace(perf_counter=lambda: now)
    monkeypatch.setattr("charrnn.inference.threads.time", clock)

    def work(threads: int) -> int:
        nonlocal now
        used.append(threads)
        now += 10 * step_s[threads]
        return 10

    trials = ThreadTrials(4)
    for _ in range(60):
        assert trials.run(work) == 10
    assert used[0] == 4
    assert used.count(1) > 50
    step_s[4] = 0.5  # the other program has ended
    for _ in range(100):
        trials.run(work)
    assert used[-1] == 4
    alone = ThreadTrials(1)
    assert alone.run(work) == 10
    assert used[-1] == 1
