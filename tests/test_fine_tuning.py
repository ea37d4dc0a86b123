"""Starting from a model: what it keeps, what a run with it knows, resumes and refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import CheckpointError, RunError, UsageError
from charrnn.model import checkpoint
from charrnn.model.config import ModelConfig
from charrnn.plan.fine_tuning import Start
from charrnn.runs.events import Event, RunStarted, StopRequest
from tests.conftest import TEXT

SMALL: dict[str, Any] = {"batch_size": 5, "seq_len": 16, "engine": "native", "precision": "fp32"}
SIZES: dict[str, Any] = {"cell": "lstm", "num_layers": 2, "hidden_size": 17}
OTHER = TEXT.replace("cat", "kač").replace("?", "").replace(";", "")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.txt").write_text(OTHER, encoding="utf-8")


@pytest.mark.parametrize("embedding_size", [0, 6])
def test_each_character_keeps_what_was_learned_of_it(embedding_size: int, text_file: Path) -> None:
    charrnn.train(text_file, steps=5, embedding_size=embedding_size, **SMALL, **SIZES)
    start = Start.load("animals")
    old, new = start.model.vocabulary, Vocabulary.from_text(OTHER)
    config = start.model.config
    shapes = ModelConfig(
        len(new), cell="lstm", num_layers=2, hidden_size=17, embedding_size=embedding_size
    ).parameter_shapes()
    fresh = {name: np.full(shape, 7.5, np.float32) for name, shape in shapes.items()}
    weights = start.remapped(new, fresh)
    assert {name: weight.shape for name, weight in weights.items()} == shapes
    assert "č" in new.characters
    assert config.vocab_size != len(new)
    for symbol in new.characters:
        new_id = int(new.encode(symbol)[0])
        for name, axis in (
            ("embedding.weight", 0),
            ("decoder.weight", 0),
            ("decoder.bias", 0),
            *([("rnn.weight_ih_l0", 1)] if embedding_size == 0 else []),
        ):
            if name not in weights:
                continue
            row = np.take(weights[name], new_id, axis)
            if symbol in old.characters:
                old_id = int(old.encode(symbol)[0])
                assert np.array_equal(row, np.take(start.model.weights[name], old_id, axis))
            else:
                assert (row == 7.5).all()
    assert np.array_equal(weights["rnn.weight_hh_l1"], start.model.weights["rnn.weight_hh_l1"])


def test_a_run_that_starts_from_a_model_learns_faster_and_says_what_is_new(text_file: Path) -> None:
    charrnn.train(text_file, steps=120, lr=0.02, name="old", **SMALL, **SIZES)
    events: list[Event] = []
    options = {"steps": 10, "lr": 0.002, **SMALL}
    tuned = charrnn.train("other.txt", init_from="old", on_event=events.append, **options)
    fresh = charrnn.train("other.txt", name="fresh", **options, **SIZES)
    assert tuned.checkpoint.config.hidden_size == 17
    nats = [model.checkpoint.losses.val_nats for model in (tuned, fresh)]
    assert nats[0] is not None
    assert nats[1] is not None
    assert nats[0] < 0.7 * nats[1]
    started = next(event for event in events if isinstance(event, RunStarted))
    assert "--init-from old" in started.plan.command("tuned")
    assert started.plan.init is not None
    assert started.plan.init.path == str(Path("checkpoints/old/model.safetensors").resolve())
    note = started.notes[-1]
    known, total = len(set(TEXT) & set(OTHER)), len(set(OTHER))
    assert note.startswith(f"starts from old: it knows {known} of {total} symbols; new: k č")


def test_a_run_resumes_without_the_model_that_it_started_from_but_begins_only_with_it(
    text_file: Path,
) -> None:
    charrnn.train(text_file, steps=5, name="old", **SMALL, **SIZES)
    options = {"init_from": "old", "steps": 9, **SMALL}
    whole = charrnn.train("other.txt", name="whole", **options)
    for name in ("saved", "killed"):
        charrnn.train("other.txt", name=name, stop=StopRequest(signal=2), **options)
    for file in ("training", "progress"):
        Path(f"checkpoints/killed/{file}.safetensors").unlink()
    assert np.array_equal(
        charrnn.resume("killed").checkpoint.weights["decoder.bias"],
        whole.checkpoint.weights["decoder.bias"],
    )
    charrnn.train("other.txt", name="late", stop=StopRequest(signal=2), **options)
    for file in ("training", "progress"):
        Path(f"checkpoints/late/{file}.safetensors").unlink()
    old = Path("checkpoints/old/model.safetensors")
    model = checkpoint.read(old)
    checkpoint.write(old, replace(model, step=99))
    with pytest.raises(RunError, match="which this run starts from, has changed"):
        charrnn.resume("late")
    old.unlink()
    with pytest.raises(CheckpointError, match="no file"):
        charrnn.resume("late")
    assert np.array_equal(
        charrnn.resume("saved").checkpoint.weights["decoder.bias"],
        whole.checkpoint.weights["decoder.bias"],
    )


def test_options_that_do_not_fit_the_model_are_refused(text_file: Path) -> None:
    charrnn.train(text_file, steps=2, name="old", **SMALL, **SIZES)
    other: list[tuple[str, Any]] = [("cell", "gru"), ("hidden_size", 18), ("num_layers", 1)]
    for option, value in other:
        with pytest.raises(UsageError, match=f"`{option}` {value}: the model"):
            charrnn.train("other.txt", init_from="old", steps=2, **{option: value})
    with pytest.raises(UsageError, match="that model reads characters: leave out `as_bytes`"):
        charrnn.train("other.txt", init_from="old", steps=2, as_bytes=True, **SMALL)
    with pytest.raises(CheckpointError, match="no model 'nobody'"):
        charrnn.train("other.txt", init_from="nobody", steps=2)
