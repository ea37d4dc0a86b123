"""Judging a model with n-gram experts on the text that they have counted."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.split import Split
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.windows import FOLDS
from charrnn.errors import CorpusError
from charrnn.experts import layout
from charrnn.experts.codes import COUNT_OF_CODE, bucket_of, code_of
from charrnn.experts.table import shares_of
from charrnn.experts.text_counts import TextCounts
from charrnn.inference.held_out import HeldOutNetwork
from charrnn.inference.numpy_network import NumpyNetwork
from charrnn.inference.scoring import WINDOW, evaluate
from charrnn.model.checkpoint import Checkpoint
from charrnn.model.config import ModelConfig
from tests.conftest import TEXT, Run, random_checkpoint
from tests.test_experts_counting import grams_of

ORDER = 2
SPLITS: dict[str, dict[str, Any]] = {
    "text": {},
    "records": {"records": "line"},
    "streams": {"split": "streams", "num_streams": 3, "stream_unit": 40},
}


def model_of(corpus: EncodedCorpus) -> tuple[Checkpoint, HeldOutNetwork]:
    """A random net, beside experts that have counted the training split of `corpus`."""
    config = ModelConfig(len(corpus.vocabulary), "gru", 1, 11, 5, ngram_order=ORDER)
    model = random_checkpoint(config, scale=0.3)
    weights = model.weights
    table = TextCounts(corpus.split("train")).table(config.vocab_size, config.ngram_rule)
    assert table is not None
    shares = shares_of(weights["experts.weight"], weights["experts.log_offset"])
    weights.update(layout.to_tensors(table, shares))
    return model, HeldOutNetwork(config, weights, table)


class Brute:
    """The equation of docs/file-formats.md with counts that leave one fold out, symbol by symbol.

    The buckets are those of the counts that are left.
    """

    def __init__(self, model: Checkpoint, split: Split) -> None:
        self.weights = model.weights
        alone = replace(model.config, ngram_order=0)
        self.net = NumpyNetwork(alone, model.weights)
        self.grams = grams_of(split, ORDER)

    def nats(self, read: Sequence[int], targets: Sequence[int], folds: Sequence[int]) -> float:
        """The cost of `targets`, each after one more symbol of `read`, from the zero state."""
        state, nats = self.net.initial_state(1), 0.0
        for place, (symbol, target, fold) in enumerate(zip(read, targets, folds, strict=True)):
            logits, state = self.net.step(np.array([symbol]), state)
            z = logits[0].astype(np.float64)
            for k in range(1, min(ORDER, place + 1) + 1):
                z += self.share(tuple(read[place + 1 - k : place + 1]), fold, state[0][-1, 0])
            nats += float(np.log(np.exp(z).sum()) - z[target])
        return nats

    def others(self, gram: tuple[int, ...], fold: int) -> int:
        by_fold = self.grams.get(gram)
        return 0 if by_fold is None else by_fold.total() - by_fold[fold]

    def share(self, context: tuple[int, ...], fold: int, h: np.ndarray) -> np.ndarray:
        vocab_size, k = self.net.config.vocab_size, len(context)
        counts = np.array([self.others((*context, v), fold) for v in range(vocab_size)])
        own = code_of(np.array([self.others(context, fold)]))
        bucket = int(bucket_of(own, np.array([np.count_nonzero(counts)]))[0])
        gate = 2 / (1 + math.exp(-float(self.weights["experts.gate"][k - 1] @ h)))
        offset = math.exp(self.weights["experts.log_offset"][k - 1, bucket])
        weight = float(self.weights["experts.weight"][k - 1, bucket])
        share: np.ndarray = gate * weight * np.log1p(COUNT_OF_CODE[code_of(counts)] / offset)
        return share


def texts_of(split: Split) -> list[tuple[list[int], list[int], list[int]]]:
    """(what is read, the targets, their folds) of each piece of a split."""
    pieces, texts, before = split.pieces(), [], 0
    for number, (start, stop) in enumerate(zip(pieces.starts, pieces.stops, strict=True)):
        ids = [int(i) for i in pieces.ids[start:stop]]
        folds = [(before + i) * FOLDS // len(split) for i in range(len(ids))]
        before += len(ids)
        if pieces.lead is not None:
            folds = [number * FOLDS // len(pieces.starts)] * len(ids)
            texts.append(([pieces.lead, *ids[:-1]], ids, folds))
        elif len(pieces.starts) == 1:
            texts.append((ids[:-1], ids[1:], folds[1:]))
        else:  # behind a stream's stretch comes one more target, which is of no fold
            behind = int(pieces.ids[stop % len(pieces.ids)])
            texts.append((ids, [*ids[1:], behind], [*folds[1:], folds[-1]]))
    return texts


@pytest.mark.parametrize("kind", SPLITS)
def test_a_symbol_is_judged_beside_the_counts_of_all_folds_but_its_own(kind: str) -> None:
    corpus = EncodedCorpus.from_text(TEXT[:1300], "animals", SplitConfig(**SPLITS[kind]))
    split = corpus.split("train")
    model, network = model_of(corpus)
    brute, texts = Brute(model, split), texts_of(split)
    found = evaluate(network, split)
    assert found.held_out
    assert found.carried.characters == sum(len(targets) for _, targets, _ in texts)
    expected = sum(brute.nats(*text) for text in texts)
    assert found.carried.nats == pytest.approx(expected, rel=1e-5)
    if kind != "records":
        windows = [
            [part[start : start + WINDOW] for part in text]
            for text in texts
            for start in range(0, len(text[0]), WINDOW)
        ]
        expected = sum(brute.nats(*window) for window in windows)
        assert found.windows.nats == pytest.approx(expected, rel=1e-5)


def test_many_streams_of_a_long_text_are_judged_as_one() -> None:
    corpus = EncodedCorpus.from_text(TEXT, "animals", SplitConfig())
    split = corpus.split("train")
    _, network = model_of(corpus)
    folds = np.arange(1, len(split)) * FOLDS // len(split)
    ids = split.ids[:, None]
    nats, _ = network.score(
        ids[:-1], ids[1:], network.initial_state(1), folds[:, None].astype(np.uint8)
    )
    assert evaluate(network, split).carried.nats == pytest.approx(float(nats.sum()), rel=1e-5)


def test_eval_of_the_training_text_holds_its_counts_out_and_says_so(
    cli: Run, tmp_path: Path, text_file: Path
) -> None:
    options = ["--hidden-size", "9", "--steps", "5", "--val-frac", "0.3"]
    for order in ("4", "0"):
        assert cli("train", text_file.name, "--ngram-order", order, *options).returncode == 0
    said = "the counts of the ninth of the text that a character stands in are held out"
    assert said in cli("eval", "animals", "--split", "train").stdout.decode()
    scores = {}
    for name in ("animals", "animals-2"):
        for split in ("train", "validation"):
            shown = cli("eval", name, "--split", split, "--json").stdout
            scores[name, split] = json.loads(shown)
            told = (name, split) == ("animals", "train")
            assert scores[name, split]["held_out_counts"] is told
    model = charrnn.load(tmp_path / "checkpoints" / "animals")
    text = TEXT[: scores["animals", "train"]["characters"] + 1]
    ids = model.vocabulary.encode(text)[:, None]
    network = model.network("fp32")
    copied, _ = network.score(ids[:-1], ids[1:], network.initial_state(1))
    assert scores["animals", "train"]["nats_per_char"] > float(copied.mean()) + 0.01
    codes = model.checkpoint.weights[layout.CODES_NAME].copy()
    codes[7] += 1
    model.checkpoint.weights[layout.CODES_NAME] = codes
    with pytest.raises(CorpusError, match="has counted are not those of its training text"):
        charrnn.evaluate(model, "train", corpus=text_file)
