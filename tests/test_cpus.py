"""How many CPUs a process may use, and what becomes of more threads than that."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import charrnn
from charrnn.cpus import affordable_threads, usable_cpus
from charrnn.runs.events import Event, RunStarted
from charrnn.sampling.trained_model import load
from charrnn.words import counted
from tests.conftest import Run


def groups(tmp_path: Path, **quotas: str) -> tuple[Path, Path]:
    """A tree of control groups /outer/inner, with a quota in the files that are named."""
    processes, root = tmp_path / "cgroup", tmp_path / "groups"
    (root / "outer" / "inner").mkdir(parents=True)
    processes.write_text("7:cpuset:/elsewhere\n0::/outer/inner\n")
    places = {"root": root, "outer": root / "outer", "inner": root / "outer" / "inner"}
    for name, quota in quotas.items():
        (places[name] / "cpu.max").write_text(quota)
    return processes, root


def test_without_a_quota_the_affinity_mask_counts(tmp_path: Path) -> None:
    assert usable_cpus(*groups(tmp_path, inner="max 100000")) == len(os.sched_getaffinity(0))
    assert usable_cpus(tmp_path / "none", tmp_path / "none") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("group", ["root", "outer", "inner"])
def test_the_quota_of_any_group_above_binds(tmp_path: Path, group: str) -> None:
    assert usable_cpus(*groups(tmp_path, **{group: "40000 100000"})) == 1


def test_a_part_of_a_cpu_counts_as_one(tmp_path: Path) -> None:
    expected = min(2, len(os.sched_getaffinity(0)))
    assert usable_cpus(*groups(tmp_path, inner="max 100000", outer="110000 100000")) == expected


def test_a_process_on_one_cpu_counts_one() -> None:
    program = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from charrnn.cpus import usable_cpus; print(usable_cpus())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert done.stdout.strip() == b"1"


def test_no_more_threads_than_cpus_are_used_and_fewer_are_left_alone() -> None:
    cpus = usable_cpus()
    assert affordable_threads(cpus) == (cpus, None)
    threads, note = affordable_threads(100_000)
    assert threads == cpus
    assert note == f"{counted(cpus, 'thread')} instead of 100000: this process may use no more CPUs"


def test_a_run_a_resume_and_a_sample_keep_to_the_cpus(text_file: Path, cli: Run) -> None:
    os.chdir(text_file.parent)
    started: list[RunStarted] = []

    def keep(event: Event) -> None:
        if isinstance(event, RunStarted):
            started.append(event)

    charrnn.train(text_file, name="many", steps=2, threads=100_000, hidden_size=9, on_event=keep)
    assert started[0].plan.step.threads == usable_cpus()
    assert any(re.search("threads? instead of 100000", note) for note in started[0].notes)
    assert len("".join(load("many").generate(length=7, seed=1))) == 7
    done = cli("sample", "many", "-n", "5", "--threads", "100000")
    assert (done.returncode, len(done.stdout)) == (0, 5)
    assert b"instead of 100000" in done.stderr


def test_a_gpu_that_is_not_there_is_one_line_before_anything_is_made(
    text_file: Path, cli: Run
) -> None:
    import torch

    if torch.cuda.is_available():
        return
    for command in ("train", "compare"):
        done = cli(command, text_file.name, "--device", "cuda", "--steps", "2")
        assert done.returncode == 2
        assert done.stderr.decode().startswith("charrnn: --device cuda: torch finds none here")
        assert done.stderr.count(b"\n") == 1
    assert not (text_file.parent / "checkpoints").exists()
