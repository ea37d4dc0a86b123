"""How a training run is shown on stderr: the command that repeats it, to the bit or about."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import charrnn
from charrnn.cli.progress import TrainingDisplay
from charrnn.cli.terminal import Color
from tests.conftest import Run

SMALL = [
    "--lr",
    "0.2",
    "--hidden-size",
    "16",
    "--batch-size",
    "4",
    "--seq-len",
    "16",
    "--engine",
    "reference",
]
REPEAT = "repeat with: "
ABOUT = "to learn about the same, as the steps changed on the way: "


@pytest.mark.parametrize("name", [(), ("--name", "my style")], ids=["of the text", "given"])
def test_the_command_that_repeats_a_run_can_be_pasted_and_learns_the_same(
    name: tuple[str, ...], cli: Run, text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(text_file.parent)
    options = ["--steps", "90", "--eval-every", "2", "--eval-chars", "64", "--patience", "1"]
    stderr = cli("train", "-v", text_file.name, *name, *options, *SMALL).stderr.decode()
    assert "validation has not improved" in stderr  # it stopped itself, and so does the repeat
    assert ABOUT not in stderr
    (command,) = re.findall(f"{REPEAT}charrnn (.*)", stderr)
    first = charrnn.load("my style" if name else "animals").checkpoint
    done = cli(*shlex.split(command), "-q")
    assert (done.returncode, done.stderr) == (0, b"")
    again = charrnn.load("my style" if name else "animals-2").checkpoint
    assert again.step == first.step
    for tensor, weights in first.weights.items():
        assert np.array_equal(again.weights[tensor], weights)


def slower_and_slower() -> Iterator[float]:
    """Seconds: from the first step on, each takes half a second."""
    return itertools.count(start=1.0, step=0.5)


def paused() -> Iterator[float]:
    """Seconds: after some steps a minute is gone."""
    return itertools.chain(itertools.repeat(1.0, 30), itertools.repeat(70.0))


@pytest.mark.parametrize("clock", [slower_and_slower(), paused()], ids=["slower", "paused"])
def test_a_run_whose_steps_changed_says_at_its_end_what_repeats_it_about(
    clock: Iterator[float],
    text_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(text_file.parent)
    model = charrnn.train(
        "animals.txt",
        name="style",
        budget=60,
        hidden_size=16,
        batch_size=4,
        seq_len=16,
        patience=0,
        elapsed=lambda: next(clock),
        on_event=TrainingDisplay(Color.NEVER, verbose=True).show,
    )
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith(f"{ABOUT}charrnn train animals.txt --name style --replace ")
    (steps,) = re.findall(r" --steps (\d+)", last)
    assert int(steps) < 200
    assert model.checkpoint.step <= int(steps)
