"""Folders below checkpoints/ that are no whole run: one line says what is there and what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import charrnn
from tests.conftest import TEXT, Run

SMALL = ["--hidden-size", "8", "--batch-size", "4", "--seq-len", "16", "--steps", "3", "-q"]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, to be copied."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("animals.txt").write_text(TEXT, encoding="utf-8")
        charrnn.train("animals.txt", hidden_size=8, batch_size=4, seq_len=16, steps=3)
    return folder / "checkpoints" / "animals"


def remove(*patterns: str) -> Callable[[Path], None]:
    def breaks(run: Path) -> None:
        for pattern in patterns:
            for path in list(run.glob(pattern)):
                path.unlink()

    return breaks


def damage_the_plan(run: Path) -> None:
    (run / "plan.json").write_text("{")


def damage_the_plan_without_a_model(run: Path) -> None:
    damage_the_plan(run)
    remove("*.safetensors")(run)


ANEW = "train it anew with --name x and --replace"
LEARNED = "--init-from x begins a new run with what it has learned"
WRITE_OVER = "a run named 'x' exists; write over it with --replace, or choose another --name"
CONTINUE = "a run named 'x' exists; continue it with --resume x, write over it with --replace, or"
BEGIN = "no model.safetensors; `charrnn train TEXT --name x` makes one there"
BEGIN_ANEW = "no model.safetensors; `charrnn train TEXT --name x --replace` makes one there"
NOT_YET = "run 'x' has no model yet: its first evaluation makes one; if it is not being trained, "
NOT_YET += "`charrnn train --resume x` goes on with it"

# What breaks the run, and what is said of it by train --name x, train --resume x, sample x and
# eval x; an empty text stands for a command that does what was asked of it.
STATES = [
    (remove("*"), "", "train a text with --name x to begin one", BEGIN, BEGIN),
    (remove("*.safetensors"), CONTINUE, "", NOT_YET, NOT_YET),
    (remove("model*"), CONTINUE, ANEW, BEGIN_ANEW, BEGIN_ANEW),
    (remove("plan.json"), WRITE_OVER, f"it has no plan.json; {LEARNED}", "", "name the --corpus"),
    (remove("training*"), WRITE_OVER, f"its training state is gone; {LEARNED}", "", ""),
    (damage_the_plan, WRITE_OVER, f"is damaged or not a plan: .*; {LEARNED}", "", "the --corpus"),
    (
        damage_the_plan_without_a_model,
        *(WRITE_OVER, f"is damaged or not a plan: .*; {ANEW}"),
        *(BEGIN_ANEW, BEGIN_ANEW),
    ),
]


@pytest.mark.parametrize(
    ("breaks", "named", "resumed", "sampled", "evaluated"),
    STATES,
    ids=["empty", "planned", "no model", "no plan", "no state", "damaged", "damaged and no model"],
)
def test_each_command_says_what_there_is_and_the_one_thing_to_do(
    breaks: Callable[[Path], None],
    named: str,
    resumed: str,
    sampled: str,
    evaluated: str,
    whole_run: Path,
    cli: Run,
    tmp_path: Path,
) -> None:
    (tmp_path / "animals.txt").write_text(TEXT, encoding="utf-8")
    run = tmp_path / "checkpoints" / "x"

    def check(said: str, *command: str) -> None:
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(whole_run, run)
        breaks(run)
        done = cli(*command)
        stderr = done.stderr.decode()
        if command[0] == "info" and not said:
            assert done.returncode == 0  # it shows the model, and says why it shows no plan
        elif said:
            assert done.returncode == 1
            assert stderr.startswith("charrnn: ")
            assert stderr.count("\n") == 1
            for part in said.split(".*"):
                assert part in stderr
        else:
            assert (done.returncode, stderr) == (0, "")

    check(named, "train", "animals.txt", "--name", "x", *SMALL)
    check(resumed, "train", "--resume", "x", "-q")
    check(sampled, "sample", "x", "-n", "1", "-q")
    check(sampled, "info", "x")
    check(sampled, "train", "animals.txt", "--init-from", "x", "--name", "y", *SMALL[2:])
    check(evaluated, "eval", "x")
    shutil.rmtree(run)
    shutil.copytree(whole_run, run)
    breaks(run)
    listed = cli("list")
    assert listed.returncode == 0
    told = listed.stderr.decode()
    assert sampled in told if sampled else told == "" or "is damaged or not a plan" in told


def test_what_stands_in_the_way_is_written_over_on_request_or_passed_by(
    whole_run: Path, cli: Run, tmp_path: Path
) -> None:
    (tmp_path / "animals.txt").write_text(TEXT, encoding="utf-8")
    shutil.copytree(whole_run, tmp_path / "checkpoints" / "x")
    damage_the_plan(tmp_path / "checkpoints" / "x")
    assert cli("train", "animals.txt", "--name", "x", "--replace", *SMALL).returncode == 0
    assert cli("train", "--resume", "x", "-q").returncode == 0
    (tmp_path / "checkpoints" / "animals").mkdir()
    assert cli("train", "animals.txt", *SMALL).returncode == 0
    assert (tmp_path / "checkpoints" / "animals-2" / "model.safetensors").exists()
    (tmp_path / "checkpoints" / "y").touch()
    refused = cli("train", "animals.txt", "--name", "y", *SMALL)
    assert refused.stderr == b"charrnn: 'checkpoints/y' is a file: choose another --name\n"
