"""A stranger with docs/file-formats.md and numpy computes the logits that a model file stands for.

What reads the file here is written out after that page, and uses nothing of charrnn's.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from charrnn.inference.numpy_network import NumpyNetwork
from charrnn.model import checkpoint
from charrnn.model.config import ModelConfig
from tests.conftest import counts_of, random_checkpoint, repetitive_ids

TYPES = {"F32": "<f4", "U8": "|u1", "U16": "<u2"}
CONFIG = ModelConfig(vocab_size=11, cell="rnn", hidden_size=5, embedding_size=3)


class Stranger:
    """A model with a single rnn layer, read and run as the page says."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        begin = 8 + int.from_bytes(data[:8], "little")
        layout = json.loads(data[8:begin])
        sizes = json.loads(layout.pop("__metadata__")["charrnn"])["model"]
        self.order, self.vocab_size = sizes["ngram_order"], sizes["vocab_size"]
        self.tensors = {}
        for name, entry in layout.items():
            start, stop = entry["data_offsets"]
            raw = np.frombuffer(data[begin + start : begin + stop], TYPES[entry["dtype"]])
            self.tensors[name] = raw.reshape(entry["shape"])
        if self.order:
            children = self.tensors["experts.children"]
            self.first_child = 1 + np.concatenate([[0], np.cumsum(children, dtype=np.int64)])

    def logits(self, ids: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        """The logits (V,) after each symbol of a text, an unknown one of which is V."""
        named = self.tensors
        h = np.zeros(len(named["rnn.bias_ih_l0"]), np.float32)
        for place, symbol in enumerate(ids):
            x = np.zeros(named["embedding.weight"].shape[1], np.float32)
            if symbol < self.vocab_size:
                x = named["embedding.weight"][symbol]
            h = np.tanh(
                named["rnn.weight_ih_l0"] @ x
                + named["rnn.bias_ih_l0"]
                + named["rnn.weight_hh_l0"] @ h
                + named["rnn.bias_hh_l0"]
            )
            z = named["decoder.weight"] @ h + named["decoder.bias"]
            for k in range(1, self.order + 1):
                gate = 2 / (1 + np.exp(-(named["experts.gate"][k - 1] @ h)))
                for continuation, share in self.shares(ids[: place + 1], k):
                    z[continuation] += gate * share
            yield z

    def shares(self, read: Sequence[int], k: int) -> Iterator[tuple[int, np.float32]]:
        """(symbol, share of its logit) of the expert for the last `k` symbols that were read."""
        if len(read) < k or self.vocab_size in read[-k:]:
            return
        symbols, codes = self.tensors["experts.symbols"], self.tensors["experts.codes"]
        node = 0
        for symbol in read[-k:]:
            found = [child for child in self.children(node) if symbols[child] == symbol]
            if not found:
                return
            (node,) = found
        seen = [child for child in self.children(node) if codes[child] > 0]
        level = min(7, worth(int(codes[node])).bit_length())
        kind = 0 if len(seen) <= 1 else 1 if len(seen) == 2 else 2 if len(seen) <= 4 else 3
        for child in seen:
            share = self.tensors["experts.shares"][k - 1, 4 * level + kind, codes[child]]
            yield int(symbols[child]), share

    def children(self, node: int) -> range:
        return range(self.first_child[node], self.first_child[node + 1])


def worth(code: int) -> int:
    """The count that a code stands for."""
    return code if code <= 8 else round(8 * 2 ** ((code - 8) / 4))


def counted_shares(
    text: Sequence[int], read: Sequence[int], k: int, config: ModelConfig, tensors: Any
) -> dict[int, float]:
    """What `Stranger.shares` should tell: by counting in the text that was learned from."""
    if len(read) < k:
        return {}
    context = tuple(read[-k:])
    places = [i for i in range(len(text) - k + 1) if tuple(text[i : i + k]) == context]
    if k >= 6 and len(places) < 2:
        return {}
    least = config.ngram_min_count if k >= 6 else 1
    if config.private:
        least = max(2, config.ngram_min_count)
    follows = Counter(text[i + k] for i in places if i + k < len(text))
    kept = {symbol: count for symbol, count in follows.items() if count >= least}
    level = min(7, rounded(len(places)).bit_length())
    bucket = 4 * level + int(np.searchsorted([1, 2, 4], len(kept)))
    weight = float(tensors["experts.weight"][k - 1, bucket])
    offset = math.exp(tensors["experts.log_offset"][k - 1, bucket])
    return {s: weight * math.log(1 + rounded(count) / offset) for s, count in kept.items()}


def rounded(count: int) -> int:
    """The count to which a file rounds `count`: above 8 there are four to an octave."""
    return count if count <= 8 else round(8 * 2 ** (round(4 * math.log2(count / 8)) / 4))


@pytest.mark.parametrize(
    "config",
    [
        replace(CONFIG, ngram_order=8),
        replace(CONFIG, ngram_order=8, ngram_min_count=3),
        replace(CONFIG, ngram_order=4, private=True),
        replace(CONFIG, ngram_order=2, vocab_size=300),
    ],
    ids=["all", "min-count", "private", "wide"],
)
def test_the_experts_tell_what_the_text_counts(config: ModelConfig, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    text = np.concatenate([repetitive_ids(config.vocab_size, random), np.tile([3, 1, 2], 20)])
    model = random_checkpoint(config)
    weights = {**model.weights, **counts_of(config, model.weights, text)}
    checkpoint.write(tmp_path / "model", replace(model, weights=weights))
    stranger = Stranger(tmp_path / "model")
    unknown = config.vocab_size
    ids = [*text[20:70].tolist(), unknown, *text[30:45].tolist(), 5, 5, 5, *text[-9:].tolist()]
    told = 0
    for place in range(len(ids)):
        for k in range(1, config.ngram_order + 1):
            shares = dict(stranger.shares(ids[: place + 1], k))
            expected = counted_shares(text.tolist(), ids[: place + 1], k, config, weights)
            assert shares == pytest.approx(expected, rel=1e-6, abs=1e-6)
            told += len(shares)
    assert told > 100


@pytest.mark.parametrize("ngram_order", [0, 3, 8])
def test_the_logits_are_those_of_the_network(ngram_order: int, tmp_path: Path) -> None:
    model = random_checkpoint(replace(CONFIG, ngram_order=ngram_order))
    checkpoint.write(tmp_path / "model", model)
    ids = [4, 4, 11, *repetitive_ids(11, np.random.default_rng(0))[:40].tolist()]
    network = NumpyNetwork(model.config, model.weights)
    state = network.initial_state(1)
    for symbol, logits in zip(ids, Stranger(tmp_path / "model").logits(ids), strict=True):
        (expected,), state = network.step(np.array([symbol]), state)
        np.testing.assert_allclose(logits, expected, atol=1e-5)
