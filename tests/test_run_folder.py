"""A run's name and folder: how they are chosen, found, held and replaced."""

import os
from pathlib import Path

import pytest

from charrnn.errors import CheckpointError, OutputError, RunError, UsageError
from charrnn.files import run_folder


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(run_folder.MODEL_VARIABLE, raising=False)


def make_model(name: str, age_s: int = 0) -> Path:
    model = run_folder.create(name, explicit=True, replace=False).model
    model.write_bytes(b"model")
    time = model.stat().st_mtime - age_s
    os.utime(model, (time, time))
    return model


def test_a_name_that_was_not_asked_for_gets_a_number() -> None:
    names = [run_folder.create("tale", explicit=False, replace=False).name for _ in range(3)]
    assert names == ["tale", "tale-2", "tale-3"]


def test_an_explicit_name_that_exists_is_refused_with_the_ways_out() -> None:
    make_model("tale")
    with pytest.raises(RunError, match="'tale' exists; write over it with `replace`, or choose"):
        run_folder.create("tale", explicit=True, replace=False)


def test_a_folder_without_a_runs_files_is_free_for_an_explicit_name_alone() -> None:
    empty = run_folder.create("tale", explicit=False, replace=False)
    assert run_folder.create("tale", explicit=True, replace=False) == empty
    assert run_folder.create("tale", explicit=False, replace=False).name == "tale-2"
    (empty.path / "my notes.txt").touch()
    assert run_folder.create("tale", explicit=True, replace=False) == empty
    empty.metrics.touch()
    with pytest.raises(RunError, match="'tale' exists"):
        run_folder.create("tale", explicit=True, replace=False)


def test_a_file_where_all_runs_belong_is_an_output_error() -> None:
    Path("checkpoints").touch()
    with pytest.raises(OutputError, match="cannot make the folder 'checkpoints/tale': Not a dir"):
        run_folder.create("tale", explicit=False, replace=False)


def test_replacing_removes_the_runs_files_and_no_others() -> None:
    model = make_model("tale")
    note = model.parent / "my notes.txt"
    note.write_text("keep")
    folder = run_folder.create("tale", explicit=True, replace=True)
    assert model.exists()
    folder.clear()
    assert [path.name for path in folder.path.iterdir()] == [note.name]


def test_a_run_is_held_by_one_and_let_go_of(tmp_path: Path) -> None:
    folder = run_folder.create("tale", explicit=True, replace=False)
    half_written = folder.path / ".model.safetensors.x1y2"
    half_written.touch()
    with folder.locked():
        assert not half_written.exists()
        with pytest.raises(RunError, match="'tale' is being trained by another process"):
            folder.locked().__enter__()
    with folder.locked():
        pass


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "/tmp"])
def test_a_name_must_be_plain(name: str) -> None:
    with pytest.raises(UsageError, match="`name`"):
        run_folder.check_name(name)


def test_the_newest_model_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="no model in checkpoints/ yet"):
        run_folder.find_model(None)
    old, new = make_model("old", age_s=100), make_model("new")
    run_folder.create("unfinished", explicit=False, replace=False)
    assert [folder.name for folder in run_folder.list_runs()] == ["new", "old"]
    assert run_folder.find_model(None) == new
    monkeypatch.setenv(run_folder.MODEL_VARIABLE, "old")
    assert run_folder.find_model(None) == old


def test_a_model_is_a_run_a_folder_or_a_file() -> None:
    model = make_model("tale")
    for argument in ("tale", "checkpoints/tale", str(model), str(model.resolve())):
        assert run_folder.find_model(argument).resolve() == model.resolve()
    run_folder.create("empty", explicit=False, replace=False)
    with pytest.raises(CheckpointError, match=r"it has no model\.safetensors"):
        run_folder.find_model("empty")
    with pytest.raises(CheckpointError, match="no model 'nobody'"):
        run_folder.find_model("nobody")
