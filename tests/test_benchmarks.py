"""Every benchmark at the size of a toy: it runs, and prints a row for all that it measures."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import bench_gpu
from charrnn.engines.selection import candidates
from charrnn.model.cells import CELLS
from charrnn.model.precision import SAMPLING_PRECISIONS

ROOT = Path(__file__).parent.parent
Rows = list[list[str]]
"""The cells of each row of a table, its name first."""


def run(name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--size", "toy"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def tables_of(printed: str) -> list[tuple[str, Rows]]:
    """The title and the rows of each table; a table begins with an empty line."""
    tables = []
    for block in re.split(r"(?:^|\n)\n", printed)[1:]:
        title, _, *lines = block.splitlines()
        tables.append((title, [re.split(r" {2,}", line) for line in lines]))
    return tables


def tables(name: str) -> list[tuple[str, Rows]]:
    done = run(name)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r".+, \d+ CPUs, load [\d.]+, Python 3\.", done.stdout)
    return tables_of(done.stdout)


def names(rows: Rows) -> list[str]:
    return [row[0] for row in rows]


def numbers(row: list[str]) -> list[float]:
    return [float(cell.replace(",", "")) for cell in row[1:]]


def test_training_steps_are_timed_and_weighed_beside_the_textbook_loop() -> None:
    ((title, rows),) = tables("bench_training")
    assert title == "gru 2x8 B3 T5"
    engines = [" ".join(kind) for kind in candidates("cpu", "gru")]
    assert names(rows) == ["nn fp32", "nn bf16 autocast", *engines]
    for ms, chars_per_s, *ratios, _, _, mib in map(numbers, rows):
        assert chars_per_s == pytest.approx(1000 * 3 * 5 / ms, rel=0.05)
        assert min(ratios) > 0
        assert mib >= 0
    assert rows[0][3] == rows[1][4] == "1.00"


def test_a_training_beside_another_is_timed_for_every_engine() -> None:
    ((title, rows),) = tables("bench_sharing")
    assert title == "lstm 2x8, chars/s, threads and memory as charrnn sets them"
    assert names(rows) == [" ".join(kind) for kind in candidates("cpu", "lstm")]
    for alone, shared, slowdown in map(numbers, rows):
        assert slowdown == pytest.approx(alone / shared, abs=0.06)


def test_sampling_is_timed_with_limits_from_the_start_and_for_long() -> None:
    (title, speeds), (_, limits), (_, cold), (_, long), (_, prime) = tables("bench_sampling")
    assert title == "lstm 2x8, one stream: precision and threads"
    assert speeds[0][2:] == ["1.0", "-", "-"]
    assert {name.split()[0] for name in names(speeds[1:])} == set(SAMPLING_PRECISIONS)
    assert all(rate > 0 for rate, *_ in map(numbers, speeds[1:]))
    assert names(limits) == ["--stop", "--match", "--match .*"]
    assert names(cold) == ["first character", "import torch"]
    assert names(long) == ["into a pipe"]
    assert names(prime) == list(SAMPLING_PRECISIONS)


def test_reading_is_timed_from_the_text_to_the_first_step() -> None:
    (_, encoding), (_, training), (_, opening) = tables("bench_corpus")
    assert names(encoding) == ["ASCII", "mixed UTF-8"]
    assert names(training) == ["new", "in the cache", "new, 1 MB"]
    assert names(opening) == ["at first", "once more"]
    assert all(min(numbers(row)) > 0 for row in (*encoding, *training, *opening))


def test_a_gpu_is_judged_where_there_is_one_and_asked_for_elsewhere() -> None:
    done = run("bench_gpu")
    if torch.cuda.is_available():
        assert (done.returncode, done.stderr) == (0, "")
        assert len(tables_of(done.stdout)) == 3
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "bench_gpu: torch finds no GPU here\n"


def test_what_is_said_of_a_gpu_can_be_said_of_a_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    bench_gpu.print_tables(bench_gpu.SIZES["toy"], "cpu")
    (_, errors), (_, resumes), (title, times) = tables_of(capsys.readouterr().out)
    kinds = [[cell, *kind] for cell in CELLS for kind in bench_gpu.kinds_of(cell, "cpu")]
    assert [row[:3] for row in errors] == [row[:3] for row in resumes] == kinds
    for _, _, precision, error in errors:
        assert 0 < float(error) < (1e-5 if precision == "fp32" else 0.1)
    assert {cell for row in resumes for cell in row[3:]} == {"yes"}
    assert title == "gru 2x8 B3 T5"
    assert {"nn fp32", "nn bf16 autocast", "torch fp32"} <= {row[0] for row in times}
