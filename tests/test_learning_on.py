"""A finished run that is told to learn on, and a run whose text has moved or changed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn.errors import CorpusError, UsageError
from charrnn.inference.scoring import Score
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.plan import Plan
from charrnn.plan.recipe import choose_dropout
from charrnn.runs.events import Event, RunFinished, RunStarted, StepReport, StopRequest
from charrnn.training.evaluation import Evaluator
from charrnn.training.learning_rate import Schedule, learning_rate
from tests.conftest import TEXT, Run

OPTIONS: dict[str, Any] = {
    "hidden_size": 17,
    "embedding_size": 6,
    "batch_size": 5,
    "seq_len": 16,
    "engine": "native",
    "precision": "fp32",
    "eval_chars": 300,
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def plan_of(run: str) -> Plan:
    return Plan.read(Path("checkpoints", run, "plan.json"))


def test_the_rate_of_a_run_that_learns_on_is_that_of_a_longer_run() -> None:
    config = OptimizerConfig(warmup_steps=0, lr=0.01)
    on, longer = Schedule.of(300, config).extended(300, 700), Schedule.of(700, config)
    assert learning_rate(299, Schedule.of(300, config), config) < 0.0003
    for step in (300, 450, 699):
        expected = learning_rate(step, longer, config)
        assert learning_rate(step, on, config) == pytest.approx(expected)


def test_a_finished_run_learns_on_and_keeps_the_better_model(text_file: Path) -> None:
    first = charrnn.train(text_file, steps=40, ngram_order=0, **OPTIONS)
    events: list[Event] = []
    then = charrnn.resume("animals", steps=60, on_event=events.append)
    started, finished = events[0], events[-1]
    assert isinstance(started, RunStarted)
    assert isinstance(finished, RunFinished)
    assert (started.step, started.plan.run.steps, started.plan.from_step) == (40, 100, 40)
    assert (finished.reason, finished.step) == ("finished", 100)
    before, after = first.checkpoint.losses.val_nats, then.checkpoint.losses.val_nats
    assert before is not None
    assert after is not None
    assert after < 0.8 * before
    assert then.checkpoint.step > 40
    assert charrnn.evaluate(then).carried.nats_per_char == pytest.approx(after)
    metrics = Path("checkpoints/animals/metrics.jsonl").read_text()
    steps = [json.loads(line) for line in metrics.splitlines()]
    assert [line["step"] for line in steps] == sorted(line["step"] for line in steps)
    assert steps[-1]["step"] == then.checkpoint.step

    charrnn.resume("animals", on_event=events.append)  # without a limit there is nothing to do
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert last.reason == "already finished"


def test_a_worse_model_never_replaces_the_one_there_is(
    text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = charrnn.train(text_file, steps=60, ngram_order=0, **OPTIONS)
    estimate = Evaluator.estimate
    scores: list[Score] = []

    def worse_and_worse(evaluator: Evaluator) -> Score:
        score = estimate(evaluator)  # the first one is that of the model that there is
        scores.append(replace(score, nats=score.nats + len(scores) * score.characters))
        return scores[-1]

    monkeypatch.setattr(Evaluator, "estimate", worse_and_worse)
    events: list[Event] = []
    then = charrnn.resume("animals", steps=100, on_event=events.append)
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    # it has patience until half of the new steps are done, and for three evaluations more
    assert (finished.reason, finished.step) == ("no better", 140)
    assert then.checkpoint.step == 60
    for name, weights in first.checkpoint.weights.items():
        assert np.array_equal(then.checkpoint.weights[name], weights)


def test_learning_on_that_is_interrupted_is_resumed_bit_for_bit(text_file: Path) -> None:
    for name in ("unbroken", "broken"):
        charrnn.train(text_file, name=name, steps=20, **OPTIONS)
    unbroken = charrnn.resume("unbroken", steps=30)

    stop = StopRequest()

    def stop_at_33(event: Event) -> None:
        if isinstance(event, StepReport) and event.step >= 33:
            stop.signal = 2

    charrnn.resume("broken", steps=30, stop=stop, on_event=stop_at_33)
    broken = charrnn.resume("broken")
    assert unbroken.checkpoint.step == broken.checkpoint.step > 33
    for name, weights in unbroken.checkpoint.weights.items():
        assert np.array_equal(broken.checkpoint.weights[name], weights)


def test_an_interrupted_run_gets_another_end_too(text_file: Path) -> None:
    charrnn.train(text_file, steps=50, stop=StopRequest(signal=2), **OPTIONS)
    charrnn.resume("animals", steps=12)
    assert plan_of("animals").run.steps == 12
    events: list[Event] = []
    charrnn.resume("animals", epochs=0.5, on_event=events.append)
    finished, per_epoch = events[-1], len(TEXT) * 0.9 / (5 * 16)
    assert isinstance(finished, RunFinished)
    assert finished.step == pytest.approx(12 + per_epoch / 2, abs=1)


def test_a_budget_is_time_beyond_what_the_run_has_taken(text_file: Path) -> None:
    charrnn.train(text_file, steps=30, elapsed=lambda: 1000.0, **OPTIONS)
    events: list[Event] = []
    charrnn.resume("animals", budget=3, steps=25, on_event=events.append)
    plan, finished = plan_of("animals"), events[-1]
    assert plan.budget_s == pytest.approx(1003, abs=0.1)
    assert isinstance(finished, RunFinished)
    assert (finished.reason, finished.step, plan.most_steps) == ("finished", 55, 55)
    with pytest.raises(UsageError, match="budget"):
        charrnn.resume("animals", budget=0.5)


def test_dropout_becomes_that_of_the_whole_run_unless_it_was_asked_for(text_file: Path) -> None:
    charrnn.train(text_file, name="chosen", epochs=2, **OPTIONS)
    charrnn.train(text_file, name="asked", epochs=2, dropout=0.3, **OPTIONS)
    for name in ("chosen", "asked"):
        charrnn.resume(name, epochs=6)
    chosen, asked = plan_of("chosen"), plan_of("asked")
    text_chars = 0.9 * len(TEXT)
    expected = choose_dropout(8, chosen.model.num_parameters() / text_chars)
    assert expected > choose_dropout(2, chosen.model.num_parameters() / text_chars)
    assert chosen.model.dropout == pytest.approx(expected, abs=0.011)
    assert asked.model.dropout == 0.3
    assert asked.reasons["dropout"] == "as asked"


def test_a_text_that_has_moved_is_found_and_remembered(cli: Run, text_file: Path) -> None:
    sizes = [f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items()]
    assert cli("train", "animals.txt", "--steps", "4", *sizes).returncode == 0
    text_file.rename(text_file.with_name("moved.txt"))
    lost = cli("train", "--resume", "animals")
    assert lost.returncode == 1
    assert b"no file or folder" in lost.stderr
    assert b"say where with --corpus" in lost.stderr
    on = ("train", "--resume", "animals", "--steps", "3")
    assert cli(*on, "--corpus", "moved.txt").returncode == 0
    assert cli(*on).returncode == 0
    assert plan_of("animals").run.steps == 10
    assert plan_of("animals").corpus.name == "animals"
    refused = cli("train", "moved.txt", "--corpus", "moved.txt")
    assert refused.returncode == 2
    assert b"--corpus says where the text of a resumed run is now" in refused.stderr


def test_a_text_that_has_changed_is_named_with_what_to_do(text_file: Path) -> None:
    model = charrnn.train(text_file, name="my notes", steps=4, **OPTIONS)
    text_file.write_text(TEXT + "more\n")
    changed = f"it has {len(TEXT) + 5:,} characters, where the model learned from {len(TEXT):,}"
    with pytest.raises(CorpusError, match=f"'animals' has changed: {changed}.*`init_from` 'my no"):
        charrnn.resume("my notes", steps=3)
    with pytest.raises(CorpusError, match=f"'animals' has changed: {changed}"):
        charrnn.evaluate(model)
    other = text_file.with_name("other.txt")
    other.write_text(TEXT.upper())
    for call in (charrnn.evaluate, lambda _, corpus: charrnn.resume("my notes", corpus=corpus)):
        with pytest.raises(CorpusError, match="this is not the text that the model learned from"):
            call(model, corpus=other)
