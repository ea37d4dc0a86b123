"""The README's commands and its Python, run in order from a clean folder, with texts of a toy."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TEXT
from tests.forked_command import run_forked

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
TINY = ["--hidden-size", "16", "--batch-size", "4", "--seq-len", "16"]
"""What makes a model so small that it learns in a second."""
STAND_INS = """
git() { cat notes/*.md; }  # as `git log` would: a text from another program
jq() { cat; }
charrnn() { "$PYTHON" -m charrnn "$@"; }
set -e -o pipefail
"""
"""What the shell takes for other programs that a machine may lack."""


def blocks(language: str) -> list[str]:
    """The text of every fenced block in one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    """The commands of charrnn in the README, in order, without their comments."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [re.sub(r"\s+#.*", "", line) for line in lines if re.search(r"(^|\| )charrnn ", line)]


def made_tiny(command: str) -> str:
    """A command of the README with a few steps in place of minutes, and a tiny model."""
    if " --resume " in command:
        return re.sub(r"--budget \S+", "--steps 4", command)
    if command.startswith("charrnn bench"):
        return f"{command} --seconds 0.1"
    if not re.search("charrnn (train|compare) ", command):
        return command
    words = re.sub(r" --budget \S+", "", command) + " --steps 4"
    # A model that is gone on from decides the size.
    return words if "--init-from" in words else f"{words} {shlex.join(TINY)}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clean folder with the texts that the README speaks of, none longer than a page or two."""
    play = f"ROMEO:\n{TEXT}"
    texts = {
        "notes/today.md": f"{TEXT}The end.\n",
        "notes/old/before.md": TEXT.upper(),
        "journal.txt": TEXT,
        "letters.txt": play,
        "corpora/shakespeare.txt": play,
        "corpora/names.txt": "anna\nhannah\notto\nbob\neve\nada\n" * 40,
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_the_commands_of_the_readme_run_in_their_order(folder: Path) -> None:
    found = commands()
    assert len(found) > 20
    for command in found:
        tiny = made_tiny(command)
        if "|" in tiny:
            done = subprocess.run(
                ["bash", "-c", STAND_INS + tiny],
                cwd=folder,
                env={**os.environ, "PYTHON": sys.executable},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
            )
        else:
            words = shlex.split(tiny)[1:]
            done = run_forked(words, folder, dict(os.environ), timeout=60)
        assert done.returncode == 0, (command, done.stderr.decode())
        is_silent = re.search("train|-i$", command) is not None
        assert bool(done.stdout) != is_silent, (command, done.stdout, done.stderr)


def test_the_python_of_the_readme_runs(folder: Path) -> None:
    (program,) = blocks("python")
    tiny = program.replace('budget="90s"', "steps=4, hidden_size=16, batch_size=4, seq_len=16")
    assert tiny != program
    done = subprocess.run(
        [sys.executable, "-c", tiny], cwd=folder, capture_output=True, timeout=60, check=True
    )
    assert len(done.stdout) > 500
    assert done.stderr == b""
