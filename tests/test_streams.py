"""Parallel streams of a text, of each of which the end is held back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.split import Split
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.streams import Streams
from charrnn.errors import CorpusError, UsageError
from charrnn.inference.numpy_network import NumpyNetwork
from charrnn.inference.scoring import evaluate, score_sampled
from charrnn.model.config import ModelConfig
from tests.conftest import random_checkpoint

ALPHABET = "".join(chr(ord("A") + place) for place in range(47))


def corpus(text: str = ALPHABET, **changes: Any) -> EncodedCorpus:
    """47 letters, so that a letter's id is its place, as 3 streams of windows of 2."""
    config = SplitConfig(split="streams", num_streams=3, stream_unit=2, val_frac=0.3)
    return EncodedCorpus.from_text(text, "abc", replace(config, **changes))


def windows_of(split: Split) -> list[tuple[list[list[int]], list[list[int]]]]:
    """Every window of one epoch as (inputs, targets), a list for each stream."""
    windows = split.training_windows(3, 2, seed=0)
    epoch = [windows.next() for _ in range(windows.per_epoch)]
    assert (windows.epoch, windows.position) == (1, 0)
    return [(window.inputs.T.tolist(), window.targets.T.tolist()) for window in epoch]


def test_each_stream_is_cut_as_char_rnn_cuts_it() -> None:
    """Of 47 letters 42 fill 7 windows; of these int(7 * 0.7) are for training, and 3 are left."""
    assert windows_of(corpus().split("train")) == [
        ([[0, 1], [14, 15], [28, 29]], [[1, 2], [15, 16], [29, 30]]),
        ([[2, 3], [16, 17], [30, 31]], [[3, 4], [17, 18], [31, 32]]),
        ([[4, 5], [18, 19], [32, 33]], [[5, 6], [19, 20], [33, 34]]),
        ([[6, 7], [20, 21], [34, 35]], [[7, 8], [21, 22], [35, 36]]),
    ]
    assert windows_of(corpus().split("validation")) == [
        ([[8, 9], [22, 23], [36, 37]], [[9, 10], [23, 24], [37, 38]]),
        ([[10, 11], [24, 25], [38, 39]], [[11, 12], [25, 26], [39, 40]]),
        ([[12, 13], [26, 27], [40, 41]], [[13, 14], [27, 28], [41, 0]]),  # after all, the first
    ]
    assert len(corpus().split("test")) == 0


def test_a_test_split_is_what_is_left_of_each_stream() -> None:
    parts = corpus(test_frac=0.2)
    lengths = [len(parts.split(name)) for name in ("train", "validation", "test")]
    assert lengths == [3 * 6, 3 * 4, 3 * 4]
    assert windows_of(parts.split("validation"))[0][0] == [[6, 7], [20, 21], [34, 35]]
    assert windows_of(parts.split("test"))[-1][1] == [[13, 14], [27, 28], [41, 0]]


def test_the_windows_of_its_own_corpus_are_shared_out_as_char_rnn_says() -> None:
    """The log of char-rnn on Tiny Shakespeare says: train: 423, val: 23, test: 0."""
    config = SplitConfig(split="streams", num_streams=50, stream_unit=50, val_frac=0.05)
    assert config.counts(1_115_394 // (50 * 50)) == (423, 23, 0)


def test_streams_begin_again_where_they_began_and_are_never_fresh() -> None:
    windows = corpus().split("train").training_windows(3, 2, seed=0)
    two_epochs = [windows.next() for _ in range(8)]
    assert not any(window.fresh for window in two_epochs)
    for first, second in zip(two_epochs[:4], two_epochs[4:], strict=True):
        assert np.array_equal(first.inputs, second.inputs)
        assert first.characters == 6
    assert (windows.epoch, windows.position) == (2, 0)


def test_streams_are_scored_side_by_side_with_the_state_carried_and_in_windows() -> None:
    """The same figures come of a loop that reads each stream by itself, character by character."""
    model = random_checkpoint(ModelConfig(23, "lstm", hidden_size=7, embedding_size=0))
    network = NumpyNetwork(model.config, model.weights)
    ids = np.random.default_rng(3).integers(0, 23, 4 * 901).astype(np.uint8)
    split = Streams.of(ids, 4, 9).part(200, 900)
    carried = windows = 0.0
    for stream in range(4):
        for step in range(700):
            place = 900 * stream + 200 + step
            if step == 0:
                state = network.initial_state(1)
            if step % 256 == 0:
                short = network.initial_state(1)
            target = ids[(place + 1) % 3600]
            logits, state = network.step(ids[place : place + 1], state)
            carried += float(np.log(np.exp(logits).sum()) - logits[0, target])
            logits, short = network.step(ids[place : place + 1], short)
            windows += float(np.log(np.exp(logits).sum()) - logits[0, target])
    found = evaluate(network, split)
    assert found.carried.characters == found.windows.characters == 2800
    assert found.carried.nats == pytest.approx(carried, rel=1e-6)
    assert found.windows.nats == pytest.approx(windows, rel=1e-6)
    assert score_sampled(network, split, 10**9) == found.carried
    assert score_sampled(network, split, 397).characters == 400


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"records": "line"}, "`split` streams: records have no streams"),
        ({"num_streams": None}, "`split` streams: needs to know"),
        ({"split": "heads"}, "`split` heads: choose one of tail, streams"),
    ],
)
def test_what_streams_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        corpus(**changes)


def test_a_text_too_short_for_its_streams_is_refused_with_the_way_out() -> None:
    with pytest.raises(CorpusError, match=r"0 are left for train.*lower `batch_size` or `seq_len`"):
        corpus(ALPHABET[:11])


def test_a_model_is_evaluated_on_the_streams_that_it_was_judged_on(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The splits are those of the plan beside the model and, without it, of the model's file."""
    monkeypatch.chdir(tmp_path)
    model = charrnn.train(
        text_file,
        name="streams",
        split="streams",
        batch_size=7,
        seq_len=11,
        hidden_size=13,
        val_frac=0.2,
        steps=20,
        precision="fp32",
    )
    losses = model.checkpoint.losses
    windows = len(text_file.read_text()) // (7 * 11)
    assert losses.val_characters == (windows - int(windows * 0.8)) * 7 * 11
    moved = tmp_path / "alone.safetensors"
    moved.write_bytes(model.path.read_bytes())
    for found in (
        charrnn.evaluate(model),
        charrnn.evaluate(charrnn.load(moved), corpus=text_file),
    ):
        assert found.carried.characters == losses.val_characters
        assert found.carried.nats_per_char == pytest.approx(losses.val_nats, abs=1e-5)
        assert found.windows.nats_per_char == pytest.approx(losses.val_windows_nats, abs=1e-5)
