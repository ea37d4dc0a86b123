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


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", *(arguments or ("--size", "toy"))]
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
    (title, speeds), (_, limits), (_, experts), *others = tables("bench_sampling")
    (_, cold), (_, long), (_, prime) = others
    assert title == "lstm 2x8, one stream: precision and threads"
    assert speeds[0][2:] == ["1.0", "-", "-"]
    assert {name.split()[0] for name in names(speeds[1:])} == set(SAMPLING_PRECISIONS)
    assert all(rate > 0 for rate, *_ in map(numbers, speeds[1:]))
    assert names(limits) == ["--stop", "--match", "--match .*"]
    assert names(experts) == [f"{p}, order {k}" for p in SAMPLING_PRECISIONS for k in (6, 10)]
    assert names(cold) == ["first character", "import torch"]
    assert names(long) == ["into a pipe"]
    assert names(prime) == list(SAMPLING_PRECISIONS)


def test_reading_is_timed_from_the_text_to_the_first_step() -> None:
    (_, encoding), (_, training), (_, opening) = tables("bench_corpus")
    assert names(encoding) == ["ASCII", "mixed UTF-8"]
    assert names(training) == ["new", "in the cache", "new, 1 MB"]
    assert names(opening) == ["at first", "once more"]
    assert all(min(numbers(row)) > 0 for row in (*encoding, *training, *opening))


LEARNED = "one two three four five six seven\nnobody reads this line twice\n" * 2
HELD_BACK = "one two three four five\nnothing like it at all\n"


def test_what_is_recited_is_measured_by_spans_within_a_line(tmp_path: Path) -> None:
    train, sample = tmp_path / "train.txt", tmp_path / "sample.txt"
    train.write_text(LEARNED + HELD_BACK)
    sample.write_text("eight nine ten two three four five six\n")  # 26 characters of a line, of 38
    share = len(HELD_BACK) / len(LEARNED + HELD_BACK)
    done = run("recited", str(train), str(sample), "--val-frac", str(share))
    assert done.stderr == ""
    ((title, rows),) = tables_of(done.stdout)
    assert title.endswith(f"in the {len(LEARNED)} characters learned from")
    assert names(rows) == ["held back", "sample.txt"]
    held_back, recited = 100 * 23 / (len(HELD_BACK) - 2), 100 * 24 / 38
    assert numbers(rows[0]) == pytest.approx([len(HELD_BACK), held_back, held_back, 0], abs=0.01)
    assert numbers(rows[1]) == pytest.approx([39, recited, recited, 0], abs=0.01)


def test_what_counts_give_away_is_measured_by_runs_that_are_forced(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    once = "".join(chr(33 + 7 * i % 89) for i in range(60))  # no character comes again
    path.write_text(once + once[:30] + "\n")
    (name, megabytes, *shares), (private_name, less, *private_shares) = (
        rows[0]
        for arguments in ((), ("--private",))
        for _, rows in tables_of(run("read_back", str(path), "--order", "3", *arguments).stdout)
    )
    assert (name, private_name) == ("order 3, from 1 on", "order 3, from 1 on, private")
    assert float(less) <= float(megabytes) < 0.01
    # What follows character 30 is not forced, and the last one only after it. From its context on,
    # character 28, to 19 behind the repetition's first there are spans that come once.
    assert list(map(float, shares)) == pytest.approx([9000 / 91, 9000 / 91, 5100 / 91], abs=0.01)
    assert list(map(float, private_shares)) == pytest.approx([6000 / 91, 6000 / 91, 0], abs=0.01)


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
