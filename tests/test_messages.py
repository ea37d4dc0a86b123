"""stderr that nobody reads any more, and Ctrl-C before there is anything to save."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SMALL = "--steps 40 --hidden-size 16 --batch-size 4 --seq-len 16 -v"


@pytest.mark.parametrize("ending", ["2>&1 | head -n 1", "2>&-", "2>/dev/full"])
def test_training_goes_on_when_nobody_reads_its_messages(ending: str, text_file: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$PYTHON" -m charrnn train animals.txt {SMALL} {ending}'],
        cwd=text_file.parent,
        env={**os.environ, "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 0
    listed = subprocess.run(
        [sys.executable, "-m", "charrnn", "list", "--json"],
        cwd=text_file.parent,
        capture_output=True,
        timeout=60,
    )
    assert b'"val_carried": true' in listed.stdout


def test_a_result_that_cannot_be_written_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "charrnn", "corpus", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert done.stderr.startswith(b"charrnn: cannot write to stdout: ")


@pytest.mark.parametrize("seconds", [0.06, 0.3, 0.9])
def test_an_early_interrupt_ends_the_command_without_a_word(
    seconds: float, text_file: Path
) -> None:
    """The moments lie in Python's start, in imports, and in torch's; each may differ by machine."""
    run = subprocess.Popen(
        [sys.executable, "-m", "charrnn", "train", text_file.name, "--hidden-size", "900"],
        cwd=text_file.parent,
        stderr=subprocess.PIPE,
    )
    time.sleep(seconds)
    run.send_signal(signal.SIGINT)
    _, stderr = run.communicate(timeout=60)
    assert run.returncode in (-signal.SIGINT, 130)
    if seconds > 0.1:  # before, Python itself has not started
        assert b"Traceback" not in stderr
