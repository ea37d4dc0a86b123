"""The model file: what it holds survives, and what does not belong there is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from charrnn.errors import CheckpointError
from charrnn.files import sealed_file
from charrnn.model import checkpoint
from charrnn.model.cells import CELLS, CellName
from charrnn.model.checkpoint import Losses
from charrnn.model.config import ModelConfig
from tests.conftest import random_checkpoint

CONFIG = ModelConfig(vocab_size=11, hidden_size=13, embedding_size=5, num_layers=2)


@pytest.mark.parametrize("embedding_size", [0, 5])
@pytest.mark.parametrize("cell", CELLS)
def test_a_model_survives_the_round_trip(
    cell: CellName, embedding_size: int, tmp_path: Path
) -> None:
    written = random_checkpoint(replace(CONFIG, cell=cell, embedding_size=embedding_size))
    checkpoint.write(tmp_path / "model", written)
    read = checkpoint.read(tmp_path / "model")
    for field in ("config", "vocabulary", "corpus", "losses", "step", "training", "versions"):
        assert getattr(read, field) == getattr(written, field)
    assert read.weights.keys() == written.weights.keys()
    assert all(np.array_equal(read.weights[n], w) for n, w in written.weights.items())


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


def test_entries_that_later_versions_add_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "model"
    checkpoint.write(path, random_checkpoint(CONFIG))
    header, tensors = sealed_file.read(path)
    header["corpus"]["language"] = "en"
    header["extra"] = 1
    sealed_file.write(path, header, tensors)
    assert checkpoint.read(path).corpus.name == "letters"
