"""A short turn of what `make torture` and `make fuzz-files` do for long."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_run_that_is_killed_at_random_moments_ends_as_the_unbroken_one() -> None:
    lines = run("tests.torture", "--kills", "6", "--kinds", "3").splitlines()
    assert len(lines) == 3
    assert all(", 0 bad" in line for line in lines)


def test_a_file_that_is_not_in_order_is_one_clear_line_or_the_same_values() -> None:
    assert "600 files" in run("tests.fuzz_files", "--files", "600")
