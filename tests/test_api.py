"""Whole runs through the Python API: what the command line also calls."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

import charrnn
from charrnn.corpus.contiguous import ContiguousText
from charrnn.errors import CorpusError, RunError, UsageError, VocabularyError
from charrnn.files import sealed_file
from charrnn.inference.scoring import score_carried
from charrnn.model.cells import CELLS, CellName
from charrnn.model.precision import SAMPLING_PRECISIONS
from charrnn.plan.engines import ENGINE_CELLS
from charrnn.runs.events import (
    EvalReport,
    Event,
    PaceChanged,
    RolledBack,
    RunFinished,
    RunStarted,
    SampleReport,
    StepReport,
    StopRequest,
)
from charrnn.sampling import saved_state
from charrnn.training.trainer import Trainer
from tests.conftest import TEXT

E = TypeVar("E")

SMALL: dict[str, Any] = {"hidden_size": 17, "embedding_size": 6, "batch_size": 5, "seq_len": 16}
PLAIN: dict[str, Any] = {"engine": "reference", "precision": "fp32", "seq_len": 7}
RUNS: list[dict[str, Any]] = [
    {"cell": "lstm", "engine": "native", "precision": "bf16"},
    {"cell": "gru", "engine": "native", "precision": "fp32", "num_layers": 2},
    {"cell": "rnn", "engine": "torch", "precision": "bf16", "embedding_size": 0},
    {"cell": "irnn", "engine": "torch", "precision": "fp32", "seq_len": 7},
    {"cell": "jordan", **PLAIN, "num_layers": 2},
    {"cell": "gru-cho", **PLAIN, "weight_drop": 0.2, "embedding_size": 0},
    {"cell": "bow", **PLAIN, "dropout": 0.2},
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stop_after(step: int, stop: StopRequest) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        if isinstance(event, StepReport) and event.step >= step:
            stop.signal = 2

    return on_event


def _first_of(kind: type[E], events: list[Event]) -> E:
    return next(event for event in events if isinstance(event, kind))


def lines(run: str) -> list[dict[str, Any]]:
    text = Path("checkpoints", run, "metrics.jsonl").read_text()
    timed = {"elapsed_s", "chars_per_s"}
    return [
        {k: v for k, v in json.loads(line).items() if k not in timed} for line in text.splitlines()
    ]


def test_a_run_tells_what_it_does_and_keeps_the_best(text_file: Path) -> None:
    events: list[Event] = []
    model = charrnn.train(text_file, steps=60, lr=0.02, on_event=events.append, **SMALL)
    started, finished = _first_of(RunStarted, events), events[-1]
    assert started.plan.run.steps == 60
    assert isinstance(finished, RunFinished)
    assert (finished.reason, finished.step) == ("finished", 60)
    evaluations = [e for e in events if isinstance(e, EvalReport)]
    final = evaluations.pop()
    assert final.carried
    assert len(evaluations) == 10
    assert sum(isinstance(e, SampleReport) for e in events) == 10
    best = min(evaluations, key=lambda e: e.val_nats)
    assert model.checkpoint.step == final.step == best.step
    assert model.checkpoint.losses.val_nats == final.val_nats == finished.val_nats
    assert model.checkpoint.losses.val_carried
    assert final.val_nats < evaluations[0].val_nats
    reports = [e for e in events if isinstance(e, StepReport)]
    assert [r.step for r in reports] == list(range(1, 61))
    assert reports[-1].train_nats < reports[0].train_nats
    recorded = lines("animals")
    assert len(recorded) == len(reports) + len(evaluations) + 1
    assert recorded[-1]["val_nats"] == final.val_nats


def test_the_recorded_loss_is_the_models_loss_on_text_it_has_not_seen(text_file: Path) -> None:
    model = charrnn.train(text_file, steps=20, val_frac=0.2, test_frac=0.1, **SMALL)
    for split, part in (
        ("validation", TEXT[round(len(TEXT) * 0.7) : round(len(TEXT) * 0.9)]),
        ("test", TEXT[round(len(TEXT) * 0.9) :]),
    ):
        score = charrnn.evaluate(model, split).carried  # type: ignore[arg-type]
        stepper, nats = model.network("fp32"), 0.0
        state = stepper.initial_state(1)
        ids = model.vocabulary.encode(part)
        for symbol, following in itertools.pairwise(ids):
            logits, state = stepper.step(np.array([symbol]), state)
            nats += float(np.log(np.exp(logits[0]).sum()) - logits[0, following])
        assert score.characters == pytest.approx(len(part) - 1, abs=1)
        assert score.nats_per_char == pytest.approx(nats / score.characters, rel=1e-2)
    losses, found = model.checkpoint.losses, charrnn.evaluate(model)
    assert losses.val_nats == pytest.approx(found.carried.nats_per_char, rel=1e-5)
    assert losses.val_windows_nats == pytest.approx(found.windows.nats_per_char, rel=1e-5)
    assert losses.val_windows_nats != losses.val_nats
    ids = model.vocabulary.encode(TEXT[round(len(TEXT) * 0.7) : round(len(TEXT) * 0.9)])
    text = ContiguousText(ids)
    for precision in SAMPLING_PRECISIONS:
        score = score_carried(model.network(precision), text)
        assert losses.by_precision[precision] == pytest.approx(score.nats_per_char, rel=1e-4)
    assert len(set(losses.by_precision.values())) == 3


@pytest.mark.parametrize("options", RUNS, ids=lambda options: str(options["cell"]))
def test_a_resumed_run_is_bit_for_bit_an_unbroken_one(
    options: dict[str, Any], text_file: Path
) -> None:
    options = {**SMALL, "steps": 50, "eval_every": 8, "eval_chars": 64, **options}
    unbroken = charrnn.train(text_file, name="unbroken", **options)
    for step in (11, 29):
        name = f"broken-{step}"
        stop = StopRequest()
        charrnn.train(text_file, name=name, stop=stop, on_event=stop_after(step, stop), **options)
        halfway = lines(name)
        assert halfway[-1]["step"] == step
        # What was written after the last save, and half a line, must not be there twice.
        with Path("checkpoints", name, "metrics.jsonl").open("a") as file:
            file.write(json.dumps({**halfway[-1], "step": step + 1}) + '\n{"event": "st')
        resumed = charrnn.resume(name)
        for tensor, weights in unbroken.checkpoint.weights.items():
            assert np.array_equal(resumed.checkpoint.weights[tensor], weights)
        assert resumed.checkpoint.losses == unbroken.checkpoint.losses
        assert lines(name) == lines("unbroken")
        state = "training.safetensors"
        ends = [sealed_file.read(Path("checkpoints", n, state))[1] for n in ("unbroken", name)]
        assert all(np.array_equal(ends[0][t], ends[1][t]) for t in ends[0])


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell not in ENGINE_CELLS["native"]])
def test_a_model_of_any_cell_is_judged_writes_and_is_learned_from(
    cell: CellName, text_file: Path, tmp_path: Path
) -> None:
    events: list[Event] = []
    options = {**SMALL, "steps": 40, "cell": cell, "eval_chars": 64}
    model = charrnn.train(text_file, on_event=events.append, **options)
    started = _first_of(RunStarted, events)
    assert started.notes == ()
    assert cell in ENGINE_CELLS[started.plan.step.engine]
    losses, found = model.checkpoint.losses, charrnn.evaluate(model)
    assert losses.val_nats == pytest.approx(found.carried.nats_per_char, rel=1e-4)
    if cell != "irnn":  # so early it forgets nothing, a rounding neither
        assert losses.by_precision["int8"] == pytest.approx(losses.by_precision["fp32"], abs=0.02)
    for precision in SAMPLING_PRECISIONS:
        assert len("".join(model.generate("who?", length=30, precision=precision))) == 30

    place = model.place_after("the red fox", model.network())
    saved_state.write(tmp_path / "place", place, model.checkpoint)
    again = saved_state.read(tmp_path / "place", model.checkpoint)
    assert len(again.state) == len(CELLS[cell].state) + 1  # the last symbols, for the experts
    for one, other in zip(again.state, place.state, strict=True):
        np.testing.assert_array_equal(one, other)

    tuned = charrnn.train(text_file, name="tuned", init_from="animals", steps=2, eval_chars=64)
    assert (tuned.config.cell, tuned.config.hidden_size) == (cell, SMALL["hidden_size"])


def test_a_finished_run_says_so_and_is_left_alone(text_file: Path) -> None:
    charrnn.train(text_file, steps=3, **SMALL)
    before = Path("checkpoints/animals/model.safetensors").read_bytes()
    events: list[Event] = []
    charrnn.resume("animals", on_event=events.append)
    assert [type(e) for e in events] == [RunFinished]
    assert isinstance(events[0], RunFinished)
    assert events[0].reason == "already finished"
    assert Path("checkpoints/animals/model.safetensors").read_bytes() == before


def test_a_run_that_never_saved_starts_again_from_its_plan(text_file: Path) -> None:
    fixed = {"steps": 6, "engine": "native", "precision": "fp32", **SMALL}
    whole = charrnn.train(text_file, name="whole", **fixed)
    charrnn.train(text_file, name="killed", stop=StopRequest(signal=2), **fixed)
    Path("checkpoints/killed/progress.safetensors").unlink()
    events: list[Event] = []
    again = charrnn.resume("killed", on_event=events.append)
    assert isinstance(events[0], RunStarted)
    assert events[0].notes == ("stopped before its first save: it starts from its plan",)
    assert again.checkpoint.step == whole.checkpoint.step
    assert np.array_equal(
        again.checkpoint.weights["decoder.bias"], whole.checkpoint.weights["decoder.bias"]
    )


def test_resuming_refuses_what_has_changed(text_file: Path) -> None:
    stop = StopRequest(signal=2)
    charrnn.train(text_file, steps=6, stop=stop, **SMALL)
    folder = Path("checkpoints/animals")
    text_file.write_text(TEXT + "more\n")
    with pytest.raises(CorpusError, match="has changed"):
        charrnn.resume("animals")
    text_file.write_text(TEXT)
    saved = folder / "progress.safetensors"
    header, tensors = sealed_file.read(saved)
    other = {**header, "corpus_sha256": "0" * 64}
    sealed_file.write(saved, other, tensors)
    with pytest.raises(RunError, match="saved while learning from another text"):
        charrnn.resume("animals")
    del tensors["generator"]
    sealed_file.write(saved, header, tensors)
    with pytest.raises(RunError, match="does not fit this run"):
        charrnn.resume("animals")
    with pytest.raises(RunError, match="no run named 'nobody'"):
        charrnn.resume("nobody")


def test_a_run_slower_than_its_plan_stops_at_the_budget_and_is_whole(text_file: Path) -> None:
    clock = itertools.chain(itertools.repeat(1.0, 30), itertools.repeat(70.0))  # a long pause
    events: list[Event] = []
    model = charrnn.train(
        text_file, budget=60, elapsed=lambda: next(clock), on_event=events.append, **SMALL
    )
    started, final, finished = _first_of(RunStarted, events), events[-2], events[-1]
    assert isinstance(finished, RunFinished)
    assert isinstance(final, EvalReport)
    assert finished.reason in ("deadline", "finished")  # whoever looks at the clock first
    assert 10 < finished.step < 30 < started.plan.run.steps
    assert final.carried
    assert model.checkpoint.losses.val_nats == final.val_nats


def test_a_run_keeps_to_its_budget_when_the_machine_slows_down(text_file: Path) -> None:
    clock = itertools.count(start=1.0, step=0.5)  # a step takes half a second now
    events: list[Event] = []
    charrnn.train(
        text_file, budget=60, elapsed=lambda: next(clock), on_event=events.append, **SMALL
    )
    started, finished = _first_of(RunStarted, events), events[-1]
    assert isinstance(finished, RunFinished)
    changes = [event for event in events if isinstance(event, PaceChanged)]
    assert changes[0].steps < started.plan.run.steps
    assert (finished.reason, finished.step) == ("finished", changes[-1].steps)
    assert 50 < finished.elapsed_s < 66


def poison(monkeypatch: pytest.MonkeyPatch, is_spoilt: Callable[[Trainer], bool]) -> None:
    """Let runs learn with a trainer whose weights become NaN at the steps of `is_spoilt`."""

    class SpoiltTrainer(Trainer):
        def step(self) -> None:
            if is_spoilt(self):
                bias = self.model.weights()["decoder.bias"]
                self.model.load_weights({**self.model.weights(), "decoder.bias": bias * math.nan})
            super().step()

    monkeypatch.setattr("charrnn.training.run.Trainer", SpoiltTrainer)


def test_a_run_that_diverges_goes_back_and_learns_more_slowly(
    text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**SMALL, "steps": 30, "eval_every": 8, "engine": "native", "precision": "fp32"}
    poison(monkeypatch, lambda trainer: trainer.step_count == 13 and trainer.lr_scale > 0.3)
    events: list[Event] = []
    unbroken = charrnn.train(text_file, name="unbroken", on_event=events.append, **options)
    backs = [event for event in events if isinstance(event, RolledBack)]
    assert [(b.diverged_step, b.step, b.lr_scale) for b in backs] == [(14, 8, 0.5), (14, 8, 0.25)]
    assert unbroken.checkpoint.losses.val_nats is not None
    recorded = lines("unbroken")
    steps = [line["step"] for line in recorded if line["event"] == "step"]
    assert steps == list(range(1, 31))
    assert [line["lr_scale"] for line in recorded if line["event"] == "rollback"] == [0.5, 0.25]
    rates = {line["step"]: line["lr"] for line in recorded if line["event"] == "step"}
    assert rates[9] < rates[8] / 3
    # A run that is stopped and resumed on the way goes back, and on, in the same way.
    for step in (4, 11, 20):
        stop = StopRequest()
        name = f"broken-{step}"
        charrnn.train(text_file, name=name, stop=stop, on_event=stop_after(step, stop), **options)
        resumed = charrnn.resume(name)
        for tensor, weights in unbroken.checkpoint.weights.items():
            assert np.array_equal(resumed.checkpoint.weights[tensor], weights)
        assert lines(name) == recorded


def test_a_run_that_diverges_again_and_again_gives_up_with_a_model(
    text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda trainer: trainer.step_count == 8)
    with pytest.raises(RunError, match=r"halved 3 times; the model of step 8 is kept; .*`lr`"):
        charrnn.train(text_file, steps=20, eval_every=8, **SMALL)
    assert charrnn.load("animals").checkpoint.step == 8
    poison(monkeypatch, lambda trainer: True)
    with pytest.raises(RunError, match="the model of step 0 is kept"):
        charrnn.train(text_file, name="never", steps=20, **SMALL)
    assert charrnn.load("never").checkpoint.losses.val_nats is None


def test_a_rate_that_is_far_too_high_is_noticed(text_file: Path) -> None:
    exact: dict[str, Any] = {"engine": "native", "precision": "fp32"}
    with pytest.raises(RunError, match="halved 3 times"):
        charrnn.train(text_file, steps=60, lr=90.0, warmup_steps=0, **exact, **SMALL)


def test_calibration_uses_up_no_randomness(
    text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = {"steps": 12, "eval_every": 12, "engine": "torch", "precision": "fp32", **SMALL}
    without = charrnn.train(text_file, name="without", eval_chars=64, **fixed)
    models = [charrnn.train(text_file, name="short", **fixed)]
    monkeypatch.setattr("charrnn.training.calibration.WITHOUT_BUDGET_S", 1.5)
    models.append(charrnn.train(text_file, name="long", **fixed))
    for name, weights in without.checkpoint.weights.items():
        assert all(np.array_equal(weights, model.checkpoint.weights[name]) for model in models)


def test_a_model_writes_what_the_options_ask_for(text_file: Path) -> None:
    model = charrnn.train(text_file, steps=3, **SMALL)
    pieces = list(model.generate(prime="the ", length=40, seed=3))
    assert len(pieces) == 40
    assert set("".join(pieces)) <= set(TEXT)
    same = charrnn.load("animals").generate("the ", temperature=0.8, length=40, seed=3)
    assert pieces == list(same)
    assert "".join(pieces) != "".join(model.generate("the ", length=40, seed=4))
    with pytest.raises(VocabularyError, match="no character 'Q'"):
        model.generate(prime="Q")
    assert len(list(model.generate(prime="Q", unknown="replace", length=2))) == 2
    with pytest.raises(UsageError, match="`temperature`"):
        model.generate(temperature=-1)


def test_byte_mode_learns_what_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(range(200, 256)) * 20 + "é".encode() * 50)
    model = charrnn.train("data.bin", steps=3, as_bytes=True, **SMALL)
    assert model.vocabulary.is_bytes
    assert "".join(model.generate(prime="é", length=30))
    assert charrnn.evaluate(model).carried.characters == 122 - 1


def test_evaluation_needs_the_text_the_model_learned_from(text_file: Path, tmp_path: Path) -> None:
    model = charrnn.train(text_file, steps=2, **SMALL)
    with pytest.raises(UsageError, match="`split` test"):
        charrnn.evaluate(model, "test")
    moved = tmp_path / "moved.txt"
    text_file.rename(moved)
    with pytest.raises(CorpusError, match="no file or folder"):
        charrnn.evaluate(model)
    assert charrnn.evaluate(model, corpus=moved).carried.nats_per_char > 0
    moved.write_text(TEXT.upper())
    with pytest.raises(CorpusError, match="this is not the text"):
        charrnn.evaluate(model, corpus=moved)
