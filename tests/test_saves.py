"""A run's files when something goes wrong with them: damage, a full disk, two trainers at once."""

import errno
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn.errors import CharRNNError, RunError, UsageError
from charrnn.files import atomic, run_folder, sealed_file
from charrnn.model import checkpoint
from charrnn.plan.config import RunConfig, SaveInterval
from charrnn.runs.events import Event, RunStarted, StepReport, StopRequest

FIXTURES = Path(__file__).parent / "fixtures"
OPTIONS: dict[str, Any] = {
    "hidden_size": 17,
    "embedding_size": 6,
    "batch_size": 5,
    "seq_len": 16,
    "steps": 24,
    "eval_every": 6,
    "eval_chars": 64,
    "engine": "native",
    "precision": "fp32",
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stopped(text_file: Path, name: str, step: int, **options: Any) -> Path:
    """The folder of a run that was stopped after `step` steps."""
    stop = StopRequest()

    def on_event(event: Event) -> None:
        if isinstance(event, StepReport) and event.step >= step:
            stop.signal = 2

    charrnn.train(text_file, name=name, stop=stop, on_event=on_event, **{**OPTIONS, **options})
    return Path("checkpoints", name)


def resumed(name: str) -> tuple[charrnn.Model, tuple[str, ...]]:
    """The end of a run, and what it said when it was taken up."""
    events: list[Event] = []
    model = charrnn.resume(name, on_event=events.append)
    assert isinstance(events[0], RunStarted)
    return model, events[0].notes


def same(one: charrnn.Model, other: charrnn.Model) -> bool:
    a, b = one.checkpoint, other.checkpoint
    assert (a.step, a.losses) == (b.step, b.losses)
    return all(np.array_equal(a.weights[name], b.weights[name]) for name in b.weights)


def recorded_steps(name: str) -> list[int]:
    metrics = Path("checkpoints", name, "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in metrics]


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()  # what shares its content with this name keeps it
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("file", "step"),
    [
        ("progress.safetensors", 12),
        ("training.safetensors", None),
        ("model.safetensors", 6),
        ("training.previous.safetensors", None),
        ("model.previous.safetensors", None),
    ],
)
def test_one_damaged_file_costs_at_most_the_work_since_the_save_before(
    file: str, step: int | None, text_file: Path
) -> None:
    whole = charrnn.train(text_file, name="whole", **OPTIONS)
    folder = stopped(text_file, "hurt", 15)
    truncate(folder / file)
    model, notes = resumed("hurt")
    assert same(model, whole)
    if step is None:
        assert all(file in note for note in notes)
    else:
        assert f"'checkpoints/hurt/{file}' is damaged" in notes[0]
        assert f"going on from what was saved at step {step}" in notes[0]
    assert recorded_steps("hurt") == recorded_steps("whole")


def test_a_model_that_is_newer_than_the_state_is_put_back(text_file: Path) -> None:
    """As it is if the process is killed between writing the one and the other."""
    whole = charrnn.train(text_file, name="whole", **OPTIONS)
    folder = stopped(text_file, "torn", 15)
    model = checkpoint.read(folder / "model.safetensors")
    atomic.keep_as(folder / "model.safetensors", folder / "model.previous.safetensors")
    newer = replace(model, step=18, losses=replace(model.losses, val_nats=0.5))
    checkpoint.write(folder / "model.safetensors", newer)
    finished, notes = resumed("torn")
    assert same(finished, whole)
    assert "is of step 18, not of step 12" in notes[0]


def test_without_one_good_state_nothing_is_touched(text_file: Path) -> None:
    folder = stopped(text_file, "lost", 15)
    for file in ("progress", "training", "training.previous"):
        truncate(folder / f"{file}.safetensors")
    model = (folder / "model.safetensors").read_bytes()
    with pytest.raises(RunError, match=r"progress\.safetensors' is damaged.*; train it anew with"):
        charrnn.resume("lost")
    assert (folder / "model.safetensors").read_bytes() == model


@pytest.mark.parametrize("fault", ["open", "fsync", "rename"])
def test_a_disk_that_is_full_at_any_moment_loses_nothing(
    fault: str, text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th write, flush or rename fails, for every n until none is left to fail."""
    options = {"steps": 5, "eval_every": 2, "save_every": "1"}
    whole = charrnn.train(text_file, name="whole", **{**OPTIONS, **options})
    for n in itertools.count():
        name = f"full-{fault}-{n}"
        with monkeypatch.context() as patch:
            calls = fail_from(patch, fault, n)
            message = failure(text_file, name, options)
        if next(calls) <= n:
            break
        assert "No space left on device" in message
        assert "\n" not in message
        if not Path("checkpoints", name).exists():  # not even a plan could be written
            continue
        assert same(charrnn.resume(name), whole), name
        junk = [path for path in Path("checkpoints", name).iterdir() if path.name[0] == "."]
        assert junk == []
    assert n > 5


def failure(text_file: Path, name: str, options: dict[str, Any]) -> str:
    """What a run dies of; empty if it does not."""
    try:
        charrnn.train(text_file, name=name, **{**OPTIONS, **options})
    except CharRNNError as error:
        return str(error)
    return ""


def fail_from(patch: pytest.MonkeyPatch, fault: str, n: int) -> "itertools.count[int]":
    """Let every call from the n-th on that touches a run's folder fail; return their count."""
    calls = itertools.count()

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if next(calls) >= n:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        return call

    if fault == "fsync":
        patch.setattr(os, "fsync", failing(os.fsync))
    elif fault == "rename":
        patch.setattr(Path, "replace", failing(Path.replace))
    else:
        patch.setattr(
            tempfile,
            "NamedTemporaryFile",
            failing(tempfile.NamedTemporaryFile),
        )
    return calls


def test_another_machine_is_told_that_the_bits_will_differ(text_file: Path) -> None:
    saved = stopped(text_file, "moved", 9) / "progress.safetensors"
    header, tensors = sealed_file.read(saved)
    header["machine"]["cpu"] = "another"
    sealed_file.write(saved, header, tensors)
    _, notes = resumed("moved")
    assert len(notes) == 1
    assert "not be bit for bit the same run: cpu " in notes[0]
    assert notes[0].endswith(" (was another)")


def test_saving_by_steps_keeps_the_model_usable_from_the_first_save(text_file: Path) -> None:
    """Killed without a word after any step, a run goes on from its last save."""

    class Killed(BaseException):
        pass

    whole = charrnn.train(text_file, name="whole", **OPTIONS)
    for last in (3, 5, 11):

        def die(event: Event, last: int = last) -> None:
            if isinstance(event, StepReport) and event.step == last:
                raise Killed

        name = f"killed-{last}"
        with pytest.raises(Killed):
            charrnn.train(text_file, name=name, save_every="2", on_event=die, **OPTIONS)
        folder = run_folder.find_run(name)
        header, _ = sealed_file.read(folder.progress)
        assert header["trainer"]["step"] == last - 1
        assert charrnn.load(folder.model).checkpoint.step == (last - 1 if last < 6 else 6)
        model, notes = resumed(folder.name)
        assert same(model, whole)
        assert notes == ()


def test_a_run_that_an_earlier_version_stopped_goes_on() -> None:
    """The promise of docs/file-formats.md, for all the files of a run."""
    shutil.copytree(FIXTURES / "stopped_run", "checkpoints/stopped_run")
    model, notes = resumed("stopped_run")
    assert recorded_steps("stopped_run")[:8] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert model.checkpoint.losses.val_carried
    assert all("not be bit for bit the same run" in note for note in notes)


@pytest.mark.parametrize(
    ("text", "interval"),
    [("1m", (60, None)), ("0.5s", (0.5, None)), ("2h", (7200, None)), ("500", (0, 500))],
)
def test_saves_come_by_time_or_by_steps(text: str, interval: tuple[float, int | None]) -> None:
    config = RunConfig(1, 1, 1, 1, save_every=text)
    assert config.save_interval() == SaveInterval(*interval)


@pytest.mark.parametrize("text", ["", "0", "0s", "-5", "1.5", "5 minutes", "1e3", "nan", "5M"])
def test_an_interval_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="`save_every`"):
        RunConfig(1, 1, 1, 1, save_every=text)
