"""The model file: what it holds survives, and what does not belong there is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from charrnn.errors import CheckpointError
from charrnn.experts.layout import CHILDREN, CODES_NAME, NAMES, SHARES, SYMBOLS
from charrnn.files import sealed_file
from charrnn.model import checkpoint
from charrnn.model.cells import CELLS, CellName
from charrnn.model.checkpoint import Checkpoint, Losses
from charrnn.model.config import ModelConfig
from tests.conftest import random_checkpoint

CONFIG = ModelConfig(vocab_size=11, hidden_size=13, embedding_size=5, num_layers=2)
EXPERTS = replace(CONFIG, ngram_order=3, ngram_min_count=2, private=True, ngram_size=12_345)


@pytest.mark.parametrize("embedding_size", [0, 5])
@pytest.mark.parametrize("cell", CELLS)
def test_a_model_survives_the_round_trip(
    cell: CellName, embedding_size: int, tmp_path: Path
) -> None:
    written = random_checkpoint(replace(CONFIG, cell=cell, embedding_size=embedding_size))
    assert_it_survives(written, tmp_path / "model")


@pytest.mark.parametrize("vocab_size", [11, 300])
@pytest.mark.parametrize("ngram_order", [1, 3, 8])
def test_a_model_survives_with_its_experts(
    ngram_order: int, vocab_size: int, tmp_path: Path
) -> None:
    config = replace(EXPERTS, ngram_order=ngram_order, vocab_size=vocab_size)
    written = random_checkpoint(config)
    assert written.weights.keys() == config.parameter_shapes().keys() | set(NAMES)
    assert_it_survives(written, tmp_path / "model")


def assert_it_survives(written: Checkpoint, path: Path) -> None:
    checkpoint.write(path, written)
    read = checkpoint.read(path)
    for field in ("config", "vocabulary", "corpus", "losses", "step", "training", "versions"):
        assert getattr(read, field) == getattr(written, field)
    assert read.weights.keys() == written.weights.keys()
    for name, weight in written.weights.items():
        assert read.weights[name].dtype == weight.dtype
        assert np.array_equal(read.weights[name], weight)


def test_the_fastest_precision_is_the_one_that_was_measured_to_cost_next_to_nothing() -> None:
    def fastest(**nats: float) -> str:
        return Losses(by_precision=nats).fastest_precision()

    assert fastest() == "fp32"
    assert fastest(fp32=1.5) == "fp32"
    assert fastest(fp32=1.5, bf16=1.5029, int8=1.5031) == "bf16"
    assert fastest(fp32=1.5, bf16=1.6, int8=1.4) == "int8"
    assert fastest(fp32=1.5, bf16=1.6, int8=1.7) == "fp32"
    assert fastest(bf16=1.5, int8=1.5) == "fp32"  # nothing to compare them with


def test_a_model_from_before_precisions_were_measured_still_loads(tmp_path: Path) -> None:
    path = tmp_path / "model"
    checkpoint.write(path, random_checkpoint(CONFIG))
    header, tensors = sealed_file.read(path)
    del header["losses"]["by_precision"], header["losses"]["precision_characters"]
    sealed_file.write(path, header, tensors)
    assert checkpoint.read(path).losses.fastest_precision() == "fp32"


def test_the_same_model_is_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        checkpoint.write(tmp_path / name, random_checkpoint(CONFIG))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "charrnn-training"}, "not a model"),
        ({"format_version": "1"}, "not a model"),
        ({"characters": "abc"}, "3 characters for a vocab_size of 11"),
        ({"characters": "ba"}, "sorted and distinct"),
        ({"characters": None}, "inconsistent"),
        ({"model": {"vocab_size": -1}}, "vocab_size -1"),
        ({"model": {"vocab_size": 11, "hidden_size": 14}}, "does not fit"),
        ({"model": 3}, "'model' is 3, not an object"),
        ({"model": {"vocab_size": 11, "cell": "elman"}}, "'cell' is 'elman', not one of rnn"),
        ({"losses": {"by_precision": {"fp32": "low"}}}, "'by_precision' is dict, not dict"),
        ({"losses": {"by_precision": 3}}, "'by_precision' is 3, not dict"),
        ({"losses": {"val_nats": True}}, "'val_nats' is True"),
        ({"step": "7"}, "'step' is '7', not int"),
        ({"step": 10**30}, "'step' is"),
        ({"is_bytes": 0}, "'is_bytes' is 0, not bool"),
        ({"versions": {"charrnn": 3}}, "'versions' is dict"),
        ({"corpus": {"name": "x"}}, "'sha256' is missing"),
    ],
)
def test_a_sealed_file_with_a_wrong_header_is_refused(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    checkpoint.write(path, random_checkpoint(CONFIG))
    header, tensors = sealed_file.read(path)
    sealed_file.write(path, {**header, **change}, tensors)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.read(path)


def test_weights_that_are_not_finite_float32_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model"
    model = random_checkpoint(CONFIG)
    refused: list[tuple[NDArray[Any], str]] = [
        (np.full((11,), np.nan, np.float32), "'decoder.bias' is not finite"),
        (np.zeros((11,), np.float64), "'decoder.bias' is F64, not float32"),
    ]
    for value, message in refused:
        checkpoint.write(path, replace(model, weights={**model.weights, "decoder.bias": value}))
        with pytest.raises(CheckpointError, match=message):
            checkpoint.read(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (SYMBOLS, None, "tensor 'experts.symbols' does not fit"),
        ("experts.gate", None, "tensor 'experts.gate' does not fit"),
        ("experts.words", np.zeros(3, np.uint8), "tensor 'experts.words' does not fit"),
        (SYMBOLS, np.zeros((9, 1), np.uint8), "tensor 'experts.symbols' does not fit"),
        (SYMBOLS, np.zeros(9, np.uint16), "'experts.symbols' is <u2, not uint8"),
        (CHILDREN, np.zeros(9, np.int64), "'experts.children' is <i8, not uint8"),
        (CHILDREN, np.zeros(9, np.uint8), "inconsistent: 'experts.children' does not add up"),
        (CODES_NAME, np.zeros(0, np.uint8), "'experts.symbols' and 'experts.codes' do not fit"),
        (SHARES, np.zeros((2, 32, 128), np.float32), "tensor 'experts.shares' does not fit"),
        (SHARES, np.full((3, 32, 128), np.inf, np.float32), "'experts.shares' is not finite"),
        ("experts.gate", np.full((3, 13), np.nan, np.float32), "'experts.gate' is not finite"),
    ],
)
def test_experts_that_fit_no_model_are_refused(
    name: str, value: NDArray[Any] | None, message: str, tmp_path: Path
) -> None:
    model = random_checkpoint(EXPERTS)
    weights = {**model.weights, name: value}
    given = {name: weight for name, weight in weights.items() if weight is not None}
    checkpoint.write(tmp_path / "model", replace(model, weights=given))
    with pytest.raises(CheckpointError, match=message):
        checkpoint.read(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ngram_order": 4}, "tensor 'experts.gate' does not fit"),
        ({"ngram_order": 0}, "tensor 'experts.children' does not fit"),
        ({"ngram_order": 17}, "`ngram_order` 17"),
        ({"ngram_order": True}, "'ngram_order' is True, not int"),
        ({"ngram_min_count": 0}, "`ngram_min_count` 0"),
        ({"private": 1}, "'private' is 1, not bool"),
    ],
)
def test_a_header_that_does_not_fit_the_experts_is_refused(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    checkpoint.write(path, random_checkpoint(EXPERTS))
    header, tensors = sealed_file.read(path)
    sealed_file.write(path, {**header, "model": {**header["model"], **change}}, tensors)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.read(path)


def test_experts_of_more_symbols_than_can_be_counted_are_refused(tmp_path: Path) -> None:
    model = random_checkpoint(ModelConfig(2, hidden_size=1, embedding_size=0, ngram_order=1))
    path = tmp_path / "model"
    checkpoint.write(path, model)
    header, tensors = sealed_file.read(path)
    header["characters"] = "".join(map(chr, range(0x10000, 0x20000)))
    header["model"]["vocab_size"] = 0x10000
    sealed_file.write(path, header, tensors)
    with pytest.raises(CheckpointError, match=r"`ngram_order` 1: .* 65,535 distinct .* has 65,536"):
        checkpoint.read(path)


def test_entries_that_later_versions_add_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "model"
    checkpoint.write(path, random_checkpoint(CONFIG))
    header, tensors = sealed_file.read(path)
    header["corpus"]["language"] = "en"
    header["extra"] = 1
    sealed_file.write(path, header, tensors)
    assert checkpoint.read(path).corpus.name == "letters"
