"""What every kind of split answers, whoever asks: contiguous text, records and parallel streams."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.ids_file import EncodedText
from charrnn.corpus.records import Records
from charrnn.corpus.split import Split
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.streams import Streams
from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.corpus.windows import NOT_COUNTED, Window
from charrnn.errors import CorpusError
from charrnn.inference.numpy_network import NumpyNetwork
from charrnn.inference.scoring import evaluate, score_carried, score_sampled, score_windows
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.training.trainer import Trainer
from tests.conftest import random_checkpoint

V = 11
BATCH = 5
STEPS = 7
UNIT = 13
VOCABULARY = Vocabulary("\nabcdefghij")
CONFIGS = {
    "text": SplitConfig(val_frac=0.3),
    "records": SplitConfig(val_frac=0.3, records="line"),
    "streams": SplitConfig(val_frac=0.3, split="streams", num_streams=BATCH, stream_unit=UNIT),
}
kinds = pytest.mark.parametrize("kind", CONFIGS)

IDS = np.random.default_rng(4).integers(0, V, 3001).astype(np.uint8)


def corpus_of(kind: str, ids: Ids = IDS) -> EncodedCorpus:
    return EncodedCorpus.from_encoded(EncodedText(VOCABULARY, ids, "0" * 64), "x", CONFIGS[kind])


def split_of(kind: str) -> Split:
    return corpus_of(kind).split("validation")


def texts_of(split: Split) -> list[tuple[list[int], list[int]]]:
    """For each text that is read from the zero state, what is read and what is predicted."""
    ids = split.ids.tolist()
    if isinstance(split, Records):
        lines = [ids[s : s + n] for s, n in zip(split.starts, split.lengths, strict=True)]
        return [([split.newline, *line[:-1]], line) for line in lines]
    if isinstance(split, Streams):
        places = [range(b * split.length, (b + 1) * split.length) for b in range(split.count)]
        around = ids[: split.count * split.length] + ids[:1]
        return [
            (
                [around[place] for place in stream[split.start : split.stop]],
                [around[place + 1] for place in stream[split.start : split.stop]],
            )
            for stream in places
        ]
    assert isinstance(split, ContiguousText)
    return [(ids[:-1], ids[1:])]


def texts_in(windows: Iterable[Window]) -> list[tuple[list[int], list[int]]]:
    """What is read and what is predicted from one fresh window to the next, for each stream."""
    texts: list[tuple[list[int], list[int]]] = []
    streams: list[tuple[list[int], list[int]]] = []
    for window in windows:
        if window.fresh:
            streams = [([], []) for _ in window.inputs[0]]
            texts += streams
        for column, (inputs, targets) in enumerate(streams):
            counted = window.targets[:, column] != NOT_COUNTED
            inputs += window.inputs[counted, column].tolist()
            targets += window.targets[counted, column].tolist()
    return texts


def network_of() -> NumpyNetwork:
    config = ModelConfig(V, "lstm", 2, hidden_size=6, embedding_size=3)
    return NumpyNetwork(config, random_checkpoint(config, scale=0.3).weights)


def nats_of(
    network: NumpyNetwork, text: tuple[list[int], list[int]], window: int | None = None
) -> float:
    """The cost of one text by the definition, from the zero state every `window` symbols."""
    state, nats = network.initial_state(1), 0.0
    for step, (symbol, following) in enumerate(zip(*text, strict=True)):
        if window is not None and step % window == 0:
            state = network.initial_state(1)
        logits, state = network.step(np.array([symbol]), state)
        nats += float(np.log(np.exp(logits[0].astype(np.float64)).sum()) - logits[0, following])
    return nats


class Wrapped:
    """A split of a class that nobody has seen, which answers as another one does."""

    def __init__(self, split: Split) -> None:
        self._split = split

    def __getattr__(self, name: str) -> Any:
        return getattr(self._split, name)

    def __len__(self) -> int:
        return len(self._split)


@kinds
def test_the_length_is_the_number_of_symbols_and_the_first_are_a_beginning(kind: str) -> None:
    split = split_of(kind)
    texts = texts_of(split)
    unpredicted = 1 if kind == "text" else 0  # the first symbol
    assert len(split) == sum(len(targets) for _, targets in texts) + unpredicted
    assert len(split.first(10**9)) == len(split)
    beginning = split.first(401)
    longest_text = max(len(targets) for _, targets in texts)
    assert 401 - longest_text <= len(beginning) < 401 + BATCH
    for part, whole in zip(texts_of(beginning), texts, strict=False):
        assert part[0] == whole[0][: len(part[0])]
        assert part[1] == whole[1][: len(part[1])]


@kinds
def test_a_damaged_id_is_found_before_a_split_is_used(kind: str) -> None:
    corpus = corpus_of(kind)
    assert len(corpus.checked_split("validation")) == len(corpus.split("validation"))
    damaged = IDS.copy()
    damaged[-300] = V  # lies in the validation split of each kind
    with pytest.raises(CorpusError, match=f"the text's ids are damaged: {V} in a vocabulary of"):
        corpus_of(kind, damaged).checked_split("validation")


@kinds
def test_an_epoch_of_training_windows_predicts_what_follows_what_is_read(kind: str) -> None:
    windows = split_of(kind).training_windows(BATCH, STEPS, seed=2)
    assert windows.seq_len == STEPS
    epoch = [windows.next() for _ in range(windows.per_epoch)]
    assert (windows.position, windows.epoch) == (0, 1)
    for window in epoch:
        steps, streams = window.inputs.shape
        assert window.targets.shape == window.inputs.shape
        assert streams == BATCH
        assert steps <= STEPS if kind == "records" else steps == STEPS
        assert window.characters == (window.targets != NOT_COUNTED).sum()
        assert window.inputs.dtype == window.targets.dtype == np.int64
        followed = window.targets[:-1] != NOT_COUNTED
        following = window.targets[1:] != NOT_COUNTED
        assert np.array_equal(
            window.inputs[1:][followed & following], window.targets[:-1][followed & following]
        )


@kinds
def test_position_and_epoch_are_the_whole_state_of_a_walk(kind: str) -> None:
    split = split_of(kind)
    ahead, behind = (split.training_windows(BATCH, STEPS, seed=2) for _ in range(2))
    for _ in range(ahead.per_epoch + 3):
        ahead.next()
    assert (ahead.position, ahead.epoch) == (3, 1)
    behind.position, behind.epoch = ahead.position, ahead.epoch
    for _ in range(ahead.per_epoch + 2):
        expected, window = ahead.next(), behind.next()
        assert np.array_equal(window.inputs, expected.inputs)
        assert np.array_equal(window.targets, expected.targets)
        assert window.fresh == expected.fresh
    assert (behind.position, behind.epoch) == (ahead.position, ahead.epoch) == (5, 2)


@kinds
def test_only_contiguous_text_makes_sizes_shrink(kind: str) -> None:
    """Of some 900 symbols 64 streams have 14 each; 16 streams have four windows of 14 each."""
    split = split_of(kind)
    assert 890 < len(split) < 1000
    assert split.fitted_sizes(BATCH, STEPS) == (BATCH, STEPS)
    assert split.fitted_sizes(64, 100) == ((16, 14) if kind == "text" else (64, 100))


@kinds
def test_every_symbol_is_predicted_once_from_all_before_it(kind: str) -> None:
    split = split_of(kind)
    windows = split.carried_windows(STEPS, BATCH - 1)
    if kind == "text":
        assert windows is None
    else:
        assert windows is not None
        assert sorted(texts_in(windows)) == sorted(texts_of(split))


@kinds
def test_every_symbol_is_predicted_once_in_separate_windows(kind: str) -> None:
    split = split_of(kind)
    texts = texts_of(split)
    if kind != "records":  # which are never cut
        texts = [
            (inputs[start : start + STEPS], targets[start : start + STEPS])
            for inputs, targets in texts
            for start in range(0, len(inputs), STEPS)
        ]
    assert sorted(texts_in(split.separate_windows(STEPS, BATCH - 1))) == sorted(texts)


@kinds
def test_scores_are_the_cost_of_each_text_by_itself(kind: str) -> None:
    split, network = split_of(kind), network_of()
    texts = texts_of(split)
    predicted = sum(len(targets) for _, targets in texts)
    carried = sum(nats_of(network, text) for text in texts)
    for streams in (1, 3, 64):
        score = score_carried(network, split, streams)
        assert score.nats == pytest.approx(carried, rel=1e-6)
        assert score.characters == predicted
    cut = None if kind == "records" else STEPS
    separate = sum(nats_of(network, text, cut) for text in texts)
    score = score_windows(network, split, window=STEPS, streams=3)
    assert score.nats == pytest.approx(separate, rel=1e-6)
    assert score.characters == predicted
    assert (abs(separate - carried) > 1) == (kind != "records")


@kinds
def test_a_sample_costs_what_its_symbols_cost_after_the_warm_up(kind: str) -> None:
    split, network = split_of(kind), network_of()
    if kind == "text":
        starts = np.linspace(0, len(split) - 1 - (17 + 34), 3).astype(int)
        streams = [split.ids[start : start + 17 + 34 + 1].tolist() for start in starts]
        expected = sum(
            nats_of(network, (stream[:-1], stream[1:]))
            - nats_of(network, (stream[:17], stream[1:18]))
            for stream in streams
        )
        characters = 3 * 34
    else:
        texts = texts_of(split.first(100))
        expected = sum(nats_of(network, text) for text in texts)
        characters = len(split.first(100))
    score = score_sampled(network, split, 100, warm_up=17, streams=3)
    assert score.nats == pytest.approx(expected, rel=1e-6)
    assert score.characters == characters
    assert score_sampled(network, split, 10**9) == score_carried(network, split)


@kinds
def test_a_text_whose_state_may_not_be_reset_is_evaluated_once(kind: str) -> None:
    """The streams of the training split are longer than the windows of an evaluation."""
    split, network = corpus_of(kind).split("train"), network_of()
    evaluation = evaluate(network, split)
    assert evaluation.carried == score_carried(network, split)
    assert evaluation.windows == score_windows(network, split)
    assert (evaluation.carried == evaluation.windows) == (kind == "records")


def weights_after_steps(split: Split, reset_prob: float) -> dict[str, np.ndarray]:
    model = ModelConfig(V, "gru", 2, hidden_size=6, embedding_size=3, dropout=0.0, weight_drop=0.0)
    config = StepConfig(batch_size=BATCH, seq_len=STEPS, reset_prob=reset_prob)
    trainer = Trainer(split, model, OptimizerConfig(), config, total_steps=9)
    for _ in range(9):
        trainer.step()
    return trainer.model.weights()


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


@kinds
def test_only_the_state_of_records_is_never_reset_at_random(kind: str) -> None:
    never, always = (weights_after_steps(split_of(kind), prob) for prob in (0.0, 1.0))
    assert same(never, always) == (kind == "records")


@kinds
def test_nobody_asks_what_class_a_split_is(kind: str) -> None:
    split, network = split_of(kind), network_of()
    wrapped: Any = Wrapped(split)
    assert evaluate(network, wrapped) == evaluate(network, split)
    sampled = score_sampled(network, wrapped, 100, warm_up=17, streams=3)
    assert sampled == score_sampled(network, split, 100, warm_up=17, streams=3)
    assert same(weights_after_steps(wrapped, 0.5), weights_after_steps(split, 0.5))
