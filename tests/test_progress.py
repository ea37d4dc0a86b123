"""What training shows: before the first step, on the way without a terminal, and at the end."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from charrnn.cli.plan_rows import opening_rows
from charrnn.cli.progress import TrainingDisplay
from charrnn.cli.terminal import Color
from charrnn.corpus.marks import Marks
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.text_config import TextConfig
from charrnn.model import checkpoint
from charrnn.model.checkpoint import Losses
from charrnn.model.config import ModelConfig
from charrnn.plan.config import RunConfig, StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.plan import CorpusPlan, Plan
from charrnn.runs.events import EvalReport, RunFinished, RunStarted, SampleReport, StepReport
from charrnn.words import counted
from tests.conftest import random_checkpoint

FOLDER = Path("checkpoints/my notes")
STEPS, REPORTS, EVALUATIONS = 2000, 400, 10


def plan_of(steps: int = STEPS, budget_s: float | None = None) -> Plan:
    return Plan(
        corpus=CorpusPlan("notes", ("n",), ("/n",), TextConfig(), "0" * 64, 5000, SplitConfig()),
        model=ModelConfig(vocab_size=61, num_layers=1, hidden_size=96),
        optimizer=OptimizerConfig(),
        step=StepConfig(threads=1),
        run=RunConfig(report_every=1, steps=steps, eval_every=steps, eval_chars=500),
        final_chars=500,
        budget_s=budget_s,
        final_s=0.5,
        most_steps=None if budget_s is None else 4000,
        reading_steps=40,
    )


def lines_of_a_run(seconds: float, capsys: pytest.CaptureFixture[str], *, verbose: bool) -> str:
    """What a run that trains for so many seconds writes between its first step and its end."""
    display = TrainingDisplay(Color.AUTO, verbose=verbose)
    display.show(RunStarted(plan_of(), FOLDER, step=0, elapsed_s=3.0))
    capsys.readouterr()
    for report in range(1, REPORTS + 1):
        step, elapsed_s = report * STEPS // REPORTS, 3.0 + report / REPORTS * seconds
        display.show(StepReport(step, 1.5, 0.01, 1.0, 1e5, elapsed_s))
        if report % (REPORTS // EVALUATIONS) == 0:
            display.show(EvalReport(step, 1.6, 500, carried=False, best=True, elapsed_s=elapsed_s))
            display.show(SampleReport(step, "what it wrote\n"))
    return capsys.readouterr().err


def seconds_of(line: str) -> int:
    """The time that a progress line begins with: `2h 5m`, `1m 15s`, `20s`."""
    times = re.match(r" *((?:\d+[dhms] )+)", line)
    assert times is not None
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(part[:-1]) * units[part[-1]] for part in times[1].split())


def test_before_the_first_step_five_lines_say_what_how_long_and_how_to_stop() -> None:
    plan = plan_of(budget_s=60.0)
    rows = dict(opening_rows(plan, FOLDER, elapsed_s=10.0))
    assert list(rows) == ["text", "model", "time", "stop", "saved in"]
    assert rows["text"] == "notes: 5,000 characters, 61 distinct"
    assert rows["model"].startswith("gru, 1 layer of 96 units, ")
    assert rows["model"].endswith("; torch fp32 on cpu, 1 thread")
    assert rows["stop"] == "Ctrl-C saves; to go on: charrnn train --resume 'my notes'"
    assert rows["saved in"] == "checkpoints/my notes"
    told = re.fullmatch(r"1m, until (.*), about 50 readings of the text", rows["time"])
    assert told is not None
    until = datetime.now() + timedelta(seconds=50)
    assert told[1] in {f"{until - timedelta(seconds=late):%H:%M:%S}" for late in range(30)}


def test_a_run_without_a_budget_says_its_steps_and_one_that_may_end_sooner_says_so() -> None:
    def time_of(plan: Plan) -> str:
        return dict(opening_rows(plan, FOLDER, elapsed_s=1.0))["time"]

    assert time_of(plan_of(steps=1)) == "1 step, about 0.025 readings of the text"
    assert time_of(plan_of(steps=40)) == "40 steps, about 1 reading of the text"
    assert time_of(replace(plan_of(), reading_steps=None)) == "2,000 steps"
    assert time_of(plan_of(steps=4000, budget_s=1e6)).startswith("at most 277h 46m, until 2")


@pytest.mark.parametrize(
    ("seconds", "fewest", "most"), [(4, 0, 0), (60, 5, 12), (180, 10, 25), (86400, 20, 50)]
)
def test_without_a_terminal_lines_are_seconds_apart_and_some_tens_at_most(
    seconds: float, fewest: int, most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = lines_of_a_run(seconds, capsys, verbose=False).splitlines()
    assert fewest <= len(lines) <= most
    assert all(re.search(r"\d+/2,000  train \d\.\d{3}.* bits/char(, .* left)?$", x) for x in lines)
    assert all("wrote" not in line for line in lines)
    if seconds < 3600:  # above, times are shown to the minute
        assert all(b - a >= 5 for a, b in pairwise(map(seconds_of, lines)))
    if lines:
        assert "train 2.164, validation about 2.308 bits/char" in lines[-1]


def test_verbose_shows_every_evaluation_and_its_sample(capsys: pytest.CaptureFixture[str]) -> None:
    shown = lines_of_a_run(4, capsys, verbose=True)
    assert shown.count("validation about 2.308 bits/char") == EVALUATIONS
    assert shown.count("    what it wrote\n") == EVALUATIONS


@pytest.mark.parametrize(
    ("order0_bits", "judged_chars", "about"), [(3.0, 9_999, ""), (2.3, 99, "about ")]
)
def test_the_end_says_how_good_the_model_is_and_how_to_use_it_unless_it_is_no_good(
    order0_bits: float,
    judged_chars: int,
    about: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    model = random_checkpoint(ModelConfig(11, hidden_size=8))
    corpus = replace(model.corpus, num_symbols=99_999, marks=Marks(order0_bits, 2.5))
    losses = Losses(1.6, judged_chars, val_carried=True)
    monkeypatch.chdir(tmp_path)
    FOLDER.mkdir(parents=True)
    checkpoint.write(FOLDER / "model.safetensors", replace(model, corpus=corpus, losses=losses))
    display = TrainingDisplay(Color.AUTO)
    display.show(RunStarted(plan_of(steps=1), FOLDER, step=0))
    capsys.readouterr()
    display.show(RunFinished("finished", 1, FOLDER / "model.safetensors", 1.6, 75.0, 1.7, 1))
    last_rows = [
        ["verdict", "8 % better than bz2: this compressor needs 2.500 bits/char"],
        ["write with", "charrnn sample 'my notes'"],
    ]
    if order0_bits < 2.4:
        chance = "nothing to learn, no better than chance"
        last_rows = [["verdict", f"{chance}: no character follows from those before it"]]
    assert [re.split(" {2,}", line) for line in capsys.readouterr().err.splitlines()] == [
        ["model", "checkpoints/my notes/model.safetensors"],
        ["trained", "1 step in 1m 15s"],
        ["validation", f"{about}2.308 bits/char (1.6000 nats)"],
        *last_rows,
    ]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 steps"),
        (1, "1 step"),
        (2, "2 steps"),
        (1234567, "1,234,567 steps"),
        (1.0, "1 step"),
        (0.999, "0.999 steps"),
        (0.9999, "1 step"),
        (32.26, "32.3 steps"),
    ],
)
def test_one_is_singular_and_everything_else_plural(number: float, words: str) -> None:
    assert counted(number, "step") == words
