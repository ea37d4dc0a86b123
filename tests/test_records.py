"""Lines as records: each is learned, judged and written on its own."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import charrnn
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.records import Records, shuffled_records
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.corpus.windows import NOT_COUNTED, TrainingWindows
from charrnn.errors import CorpusError, UsageError
from charrnn.inference.native_network import NativeNetwork
from charrnn.inference.numpy_network import NumpyNetwork
from charrnn.inference.scoring import score_carried, score_sampled
from charrnn.model.cells import CellName
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.filters import choose
from charrnn.sampling.place import Place
from charrnn.sampling.writers import make_writer
from charrnn.training.trainer import Trainer
from tests.conftest import random_checkpoint

NAMES = "".join(
    f"{first}{middle}{last}\n"
    for first, middle, last in itertools.product(
        ("an", "be", "cleo", "d"), ("", "nar", "lidi"), ("a", "o", "us")
    )
)
SMALL: dict[str, Any] = {
    "hidden_size": 13,
    "embedding_size": 5,
    "engine": "torch",
    "precision": "fp32",
    "steps": 8,
    "eval_chars": 64,
}


def corpus_of(text: str = NAMES, **splits: Any) -> EncodedCorpus:
    return EncodedCorpus.from_text(text, "names", SplitConfig(records="line", **splits))


def records_of(split: Any) -> Records:
    assert isinstance(split, Records)
    return split


def lines(corpus: EncodedCorpus, records: Records) -> list[str]:
    return [
        corpus.vocabulary.decode(corpus.ids[start : start + length])
        for start, length in zip(records.starts, records.lengths, strict=True)
    ]


def test_splits_hold_whole_records_each_once_in_a_shuffled_order() -> None:
    corpus = corpus_of(val_frac=0.25, test_frac=0.1)
    parts = [
        lines(corpus, records_of(corpus.split(name))) for name in ("train", "validation", "test")
    ]
    assert [len(part) for part in parts] == [23, 9, 4]
    assert sorted(itertools.chain(*parts)) == sorted(NAMES.splitlines(keepends=True))
    assert list(itertools.chain(*parts)) != NAMES.splitlines(keepends=True)
    again = corpus_of(val_frac=0.25, test_frac=0.1)
    assert lines(again, records_of(again.split("validation"))) == parts[1]
    assert len(corpus.split("test")) == sum(map(len, parts[2]))


@given(st.lists(st.text(alphabet="ab", max_size=9), min_size=2, max_size=20), st.booleans())
def test_any_text_falls_into_its_lines(found: list[str], ended: bool) -> None:
    text = "\n".join(found) + ("\n" if ended else "")
    vocabulary = Vocabulary("\nab")
    assume(len(text.splitlines()) > 1)
    records = shuffled_records(vocabulary.encode(text), vocabulary)
    starts = sorted(zip(records.starts.tolist(), records.lengths.tolist(), strict=True))
    cut = [text[start : start + length] for start, length in starts]
    assert cut == text.splitlines(keepends=True)


def test_a_single_line_cannot_be_split() -> None:
    for text in ("abc" * 50, "abc" * 50 + "\n"):
        with pytest.raises(CorpusError, match="`records` line: the text is a single line"):
            corpus_of(text)
    with pytest.raises(UsageError, match="`records` page"):
        SplitConfig(records="page")  # type: ignore[arg-type]


def read_back(
    windows: TrainingWindows, vocabulary: Vocabulary, count: int
) -> tuple[list[str], list[str]]:
    """What `count` windows read and predict in each stream, cut where streams begin afresh."""
    read: list[str] = []
    predicted: list[str] = []
    streams: list[tuple[list[int], list[int]]] = []
    for _ in range(count + 1):
        window = windows.next()
        if window.fresh:
            for inputs, targets in streams:
                read.append(vocabulary.decode(inputs))
                predicted.append(vocabulary.decode(targets))
            streams = [([], []) for _ in window.inputs[0]]
        for column, (inputs, targets) in enumerate(streams):
            counted = window.targets[:, column] != NOT_COUNTED
            inputs += window.inputs[counted, column].tolist()
            targets += window.targets[counted, column].tolist()
    return read, predicted


@pytest.mark.parametrize(("batch_size", "seq_len"), [(5, 3), (5, 64), (1, 4), (50, 7)])
def test_an_epoch_reads_every_record_from_a_newline_on(batch_size: int, seq_len: int) -> None:
    corpus = corpus_of()
    records = records_of(corpus.split("train"))
    windows = records.training_windows(batch_size, seq_len, seed=3)
    orders = []
    for _ in range(2):
        windows.position = 0
        read, predicted = read_back(windows, corpus.vocabulary, windows.per_epoch)
        expected = lines(corpus, records)
        assert set(predicted) == set(expected)
        batches = -(-len(expected) // batch_size)
        assert len(predicted) == batches * batch_size  # the last one is filled up
        assert read == ["\n" + line[:-1] for line in predicted]
        orders.append(predicted)
    assert batch_size == 50 or orders[0] != orders[1]


def model_of(vocabulary: Vocabulary, seed: int = 1) -> NumpyNetwork:
    config = ModelConfig(len(vocabulary), "lstm", 2, 11, 5)
    return NumpyNetwork(config, random_checkpoint(config, seed).weights)


def nats_of(network: NumpyNetwork, vocabulary: Vocabulary, line: str) -> float:
    """The cost of one record by the definition: zero state, a newline, then its characters."""
    state, nats = network.initial_state(1), 0.0
    last = vocabulary.start()
    for symbol in vocabulary.encode(line):
        logits, state = network.step(last, state)
        nats += float(np.log(np.exp(logits[0]).sum()) - logits[0, symbol])
        last = np.array([symbol])
    return nats


@pytest.mark.parametrize("streams", [1, 3, 64])
def test_the_score_is_the_sum_of_each_records_own(streams: int) -> None:
    long = "".join(itertools.islice(itertools.cycle("abcleo"), 300)) + "\n"
    corpus = corpus_of(NAMES + long + "anus")  # longer than a chunk, and one without a newline
    network = model_of(corpus.vocabulary)
    records = shuffled_records(corpus.ids, corpus.vocabulary)
    expected = [nats_of(network, corpus.vocabulary, line) for line in lines(corpus, records)]
    score = score_carried(network, records, streams)
    assert score.characters == len(corpus.ids)
    assert score.nats == pytest.approx(sum(expected), rel=1e-5)
    some = score_sampled(network, records, 60, streams=streams)
    count = int(np.searchsorted(records.lengths.cumsum(), 60))
    assert some.nats == pytest.approx(sum(expected[:count]), rel=1e-5)
    assert len(records.first(10**9)) == len(records)
    assert len(records.first(0).starts) == 1


def test_training_learns_from_each_record_as_if_alone() -> None:
    """One step's loss and gradient are those of the records by themselves."""
    corpus = corpus_of()
    records = records_of(corpus.split("train"))
    model = ModelConfig(len(corpus.vocabulary), "gru", 1, 13, 5, dropout=0.0)
    step = StepConfig(batch_size=6, seq_len=64)
    trainer = Trainer(records, model, OptimizerConfig(), step, total_steps=9)
    weights = trainer.model.weights()
    window = records.training_windows(6, 64, seed=0).next()
    predicted = [
        corpus.vocabulary.decode(column[column != NOT_COUNTED]) for column in window.targets.T
    ]
    assert len({len(line) for line in predicted}) > 1  # some of them end before others
    network = NumpyNetwork(model, weights)
    expected = sum(nats_of(network, corpus.vocabulary, line) for line in predicted)
    trainer.step()
    report = trainer.report()
    assert report.characters == sum(map(len, predicted))
    assert report.train_nats == pytest.approx(expected / report.characters, rel=1e-4)


def test_a_long_record_carries_its_state_and_the_next_begins_afresh() -> None:
    corpus = corpus_of("abcdefghij" * 3 + "\n" + "jihgfedcba" * 3 + "\n" + "b\na\n" * 3)
    records = shuffled_records(corpus.ids, corpus.vocabulary)
    model = ModelConfig(len(corpus.vocabulary), "rnn", 1, 13, 5, dropout=0.0)
    config = StepConfig(batch_size=2, seq_len=8, reset_prob=1.0)
    trainer = Trainer(records, model, OptimizerConfig(), config, total_steps=9)
    windows = records.training_windows(2, 8, seed=0)
    fresh = []
    for step in range(14):
        window = windows.next()
        network = NumpyNetwork(model, trainer.model.weights())
        zeros, carried = network.initial_state(2), (trainer.state()[1]["carried.0"],)
        trainer.step()
        from_zeros, from_carried = (network.read(window.inputs, at)[0] for at in (zeros, carried))
        after = trainer.state()[1]["carried.0"]
        np.testing.assert_allclose(after, from_zeros if window.fresh else from_carried, atol=1e-5)
        assert step == 0 or np.abs(from_zeros - from_carried).max() > 1e-3
        fresh.append(window.fresh)
    assert set(fresh) == {True, False}


@pytest.mark.parametrize("maker", [NumpyNetwork, NativeNetwork])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_writing_starts_afresh_after_each_newline(maker: Any, cell: CellName) -> None:
    vocabulary = Vocabulary("\nabc")
    config = ModelConfig(4, cell, 2, 13, 5)
    weights = random_checkpoint(config, 1).weights
    sampling = SamplingConfig(seed=5, temperature=1.3, length=400, samples=2)
    drawn = maker(config, weights)
    writer = make_writer(drawn, Place.after(drawn, vocabulary.start(), 0), sampling)
    written = np.concatenate([writer.write(150), writer.write(250)])
    network = NumpyNetwork(config, weights)
    for sample in range(2):
        random = np.random.Generator(np.random.Philox(key=5, counter=[0, 0, sample, 0]))
        last = 0
        for symbol in written[:, sample]:
            if last == 0:
                state = network.initial_state(1)
            logits, state = network.step(np.array([last]), state)
            last = choose(logits[0], sampling, random.random())
            assert symbol == last
    assert (written == 0).sum() > 20
    through = make_writer(network, Place.after(network, vocabulary.start()), sampling).write(400)
    assert not np.array_equal(written, through)


def test_a_run_of_records_is_judged_sampled_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text(NAMES * 3)
    model = charrnn.train("names.txt", records="line", batch_size=5, seq_len=16, **SMALL)
    assert model.checkpoint.corpus.records == "line"
    score = charrnn.evaluate(model)
    assert score.carried.nats_per_char == pytest.approx(model.checkpoint.losses.val_nats, rel=1e-5)
    assert score.windows == score.carried  # each line is read from the zero state anyhow
    assert charrnn.evaluate(model, corpus="names.txt") == score
    written = "".join(model.generate(prime="be", length=60, seed=1))
    assert "".join(model.generate(prime="cleoa\nbe", length=60, seed=1)) == written
    first = "".join(model.generate(length=60, seed=1))
    assert "".join(model.generate(prime="cleoa\n", length=60, seed=1)) == first
    stop = charrnn.runs.events.StopRequest(signal=2)
    charrnn.train(
        "names.txt", name="stopped", stop=stop, records="line", batch_size=5, seq_len=16, **SMALL
    )
    resumed = charrnn.resume("stopped")
    assert resumed.checkpoint.losses == model.checkpoint.losses


def test_epochs_are_counted_in_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text(NAMES * 3)
    options = {name: value for name, value in SMALL.items() if name != "steps"}
    events: list[Any] = []
    charrnn.train(
        "names.txt",
        records="line",
        epochs=2,
        batch_size=5,
        seq_len=64,
        on_event=events.append,
        **options,
    )
    assert events[-1].step == 2 * -(-97 // 5)
