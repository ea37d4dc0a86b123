"""The plan of a run: what was asked, what follows from it, and how it is repeated."""

import math
import shlex
from dataclasses import replace
from typing import Any

import pytest

from charrnn.corpus.encoded import EncodedCorpus, SplitConfig
from charrnn.corpus.text import TextConfig
from charrnn.errors import RunError, UsageError
from charrnn.model.config import ModelConfig
from charrnn.plan.plan import CorpusPlan, Plan
from charrnn.plan.recipe import MOST_EPOCHS, choose_dropout
from charrnn.plan.request import TrainingRequest
from charrnn.training import calibration
from charrnn.training.calibration import make_plan
from tests.conftest import TEXT


def corpus_plan(corpus: EncodedCorpus) -> CorpusPlan:
    return CorpusPlan(
        name="animals",
        arguments=("my animals.txt",),
        sources=("/somewhere/my animals.txt",),
        text=TextConfig(),
        sha256=corpus.sha256,
        num_symbols=len(corpus.ids),
        splits=corpus.splits,
    )


def planned(text: str = TEXT, **options: Any) -> tuple[Plan, tuple[str, ...]]:
    request = TrainingRequest(**options)
    corpus = EncodedCorpus.from_text(text, "animals", request.split_config())
    return make_plan(request, corpus, corpus_plan(corpus), elapsed=lambda: 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 90, "steps": 5}, "--budget and --steps both say when to stop"),
        ({"steps": 5, "epochs": 1}, "--steps and --epochs both say when to stop"),
        ({"budget": 0.5}, "--budget 0.5s"),
        ({"budget": math.nan}, "--budget nan"),
        ({"epochs": 0}, "--epochs 0"),
        ({"steps": 0}, "--steps 0"),
        ({"cell": "elman"}, "--cell 'elman': choose one of rnn, gru, lstm"),
        ({"hidden_size": 0}, "--hidden-size 0"),
        ({"num_layers": 65}, "--num-layers 65"),
        ({"embedding_size": -1}, "--embedding-size -1"),
        ({"dropout": 1.0}, "--dropout 1"),
        ({"weight_drop": -0.5}, "--weight-drop -0.5"),
        ({"lr": 0.0}, r"--lr 0\.0"),
        ({"lr": math.nan}, "--lr nan"),
        ({"clip_norm": -1.0}, "--clip-norm -1"),
        ({"clip_value": math.inf}, "--clip-value inf"),
        ({"optimizer": "adam"}, "--optimizer adam: must be one of adamw, rmsprop, sgd"),
        ({"lr_decay": 1.5}, r"--lr-decay 1\.5"),
        ({"lr_decay_after": 0}, "--lr-decay-after 0"),
        ({"alpha": 1.0}, r"--alpha 1\.0"),
        ({"momentum": -0.5}, r"--momentum -0\.5"),
        ({"init_range": -0.1}, r"--init-range -0\.1"),
        ({"batch_size": 0}, "--batch-size 0"),
        ({"seq_len": -3}, "--seq-len -3"),
        ({"reset_prob": 1.5}, r"--reset-prob 1\.5"),
        ({"seed": -1}, "--seed -1"),
        ({"threads": 0}, "--threads 0"),
        ({"engine": "warp"}, "--engine warp"),
        ({"engine": "native", "cell": "jordan"}, "--cell jordan runs on reference only"),
        ({"engine": "native", "cell": "irnn"}, "--cell irnn runs on torch and reference only"),
        ({"precision": "bf16", "cell": "bow"}, "--cell bow runs on reference only, which has fp32"),
        ({"precision": "fp8"}, "--precision fp8"),
        ({"device": "tpu"}, "--device tpu"),
        ({"val_frac": 0.7, "test_frac": 0.3}, "leave text to train on"),
    ],
)
def test_options_out_of_range_are_usage_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainingRequest(**options)


def test_a_plan_survives_json() -> None:
    plan, _ = planned(steps=7)
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"corpus": 3}', "[" * 99_999])
def test_a_damaged_plan_is_refused(text: str) -> None:
    with pytest.raises(RunError, match=r"plan\.json cannot be read"):
        Plan.from_json(text)


def test_the_command_says_everything_that_was_decided() -> None:
    plan, _ = planned(steps=7, cell="gru", hidden_size=20, dropout=0.25, val_frac=0.2)
    words = shlex.split(plan.command())
    assert words[:3] == ["charrnn", "train", "my animals.txt"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    names = {name.removeprefix("--").replace("-", "_") for name in options}
    not_asked_for = {"records", "preset", "init_from", "lr_decay", *TextConfig.__dataclass_fields__}
    assert names == set(TrainingRequest.__dataclass_fields__) - {"budget", "epochs"} - not_asked_for
    assert options["--cell"] == "gru"
    assert options["--dropout"] == "0.25"
    assert options["--steps"] == "7"
    assert float(options["--val-frac"]) == 0.2


def test_a_plan_made_from_its_own_command_is_the_same_plan() -> None:
    plan, _ = planned(budget=5, hidden_size=20)
    words = shlex.split(plan.command())[3:]
    text = dict(zip(words[::2], words[1::2], strict=True))
    options: dict[str, Any] = {}
    for name, value in text.items():
        number = float(value) if value.replace(".", "").isdigit() else value
        whole = isinstance(number, float) and number.is_integer() and "." not in value
        options[name[2:].replace("-", "_")] = int(number) if whole else number
    again, _ = planned(**options)
    assert again.training == replace(plan.training, report_every=again.training.report_every)
    assert (again.model, again.optimizer) == (plan.model, plan.optimizer)


def test_a_budget_decides_the_steps() -> None:
    short, _ = planned(TEXT * 50, budget=4, hidden_size=16)
    long, _ = planned(TEXT * 50, budget=12, hidden_size=16)
    assert short.budget_s == 4
    assert 1 <= short.training.steps < long.training.steps


def test_little_time_means_fewer_evaluations_but_none_of_a_few_characters() -> None:
    text = TEXT * 500
    short, _ = planned(text, budget=2, hidden_size=64)
    long, _ = planned(text, budget=200, hidden_size=64)
    by_steps, _ = planned(text, steps=50, hidden_size=64)
    assert short.training.eval_chars >= 4096
    assert long.training.eval_chars > short.training.eval_chars
    assert by_steps.training.eval_chars >= 4096
    assert _evaluations(short) < _evaluations(long) == _evaluations(by_steps) == 10


def _evaluations(plan: Plan) -> int:
    return round(plan.training.steps / plan.training.eval_every)


def test_dropout_fits_the_readings_of_the_plan_not_of_the_first_guess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The steps are quicker in a row, which the plan counts on, than in the first short look."""
    monkeypatch.setattr(
        calibration, "median_seconds", lambda steps, seconds: dict.fromkeys(steps, 0.02)
    )
    monkeypatch.setattr(calibration, "mean_seconds", lambda step, seconds: 0.001)
    text = (TEXT * 1000)[:300_000]
    plan, _ = planned(text, budget=10, hidden_size=512)
    training = plan.training
    readings = training.steps * training.batch_size * training.seq_len / 270_000
    assert 20 < readings < MOST_EPOCHS
    expected = choose_dropout(readings, plan.model.num_parameters() / 270_000)
    assert plan.model.dropout == pytest.approx(expected, abs=0.011)
    assert expected > choose_dropout(readings / 2, plan.model.num_parameters() / 270_000)


def test_a_small_text_is_not_read_for_ever() -> None:
    plan, _ = planned(TEXT[:2000], budget=60, hidden_size=16)
    training = plan.training
    read = training.steps * training.batch_size * training.seq_len
    assert read == pytest.approx(MOST_EPOCHS * 1800, rel=0.1)
    assert "readings" in plan.reasons["steps"]


def test_every_choice_has_its_reason_and_any_can_be_overruled() -> None:
    options: dict[str, Any] = {
        "hidden_size": 20,
        "lr": 0.01,
        "dropout": 0.0,
        "cell": "rnn",
        "batch_size": 4,
    }
    chosen, _ = planned(steps=30)
    asked, _ = planned(steps=30, **options)
    expected = {"cell", "num_layers", "hidden_size", "embedding_size", "batch_size", "seq_len"}
    assert expected | {"dropout", "weight_drop", "lr"} <= chosen.reasons.keys()
    assert asked.reasons.keys() == chosen.reasons.keys()
    for option in asked.reasons:
        assert (asked.reasons[option] == "as asked") == (option in options), option
    assert (asked.model.hidden_size, asked.model.cell, asked.optimizer.lr) == (20, "rnn", 0.01)


def test_an_identity_is_neither_dropped_nor_carried_unless_that_is_asked_for() -> None:
    options: dict[str, Any] = {"hidden_size": 20, "epochs": 20, "cell": "irnn"}
    # so that nothing is measured
    options |= {"engine": "reference", "precision": "fp32", "eval_chars": 64}
    chosen, _ = planned(**options)
    assert (chosen.model.weight_drop, chosen.training.reset_prob) == (0.0, 1.0)
    asked, _ = planned(**options, weight_drop=0.2, reset_prob=0.3)
    assert (asked.model.weight_drop, asked.training.reset_prob) == (0.2, 0.3)
    other, _ = planned(**{**options, "cell": "gru"})
    assert other.model.weight_drop > 0
    assert other.training.reset_prob < 0.1
    assert planned(**{**options, "cell": "bow"})[0].model.weight_drop == 0  # it has none to drop


def test_a_longer_run_gets_a_wider_model() -> None:
    short, _ = planned(TEXT * 50, steps=100)
    long, _ = planned(TEXT * 50, steps=2000)
    assert short.model.hidden_size < long.model.hidden_size


def test_epochs_are_readings_of_the_training_split() -> None:
    plan, _ = planned(epochs=3, batch_size=4, seq_len=32)
    per_epoch = (int(len(TEXT) * 0.9) - 1) // 4 // 32
    assert plan.training.steps == pytest.approx(3 * per_epoch, abs=3)


def test_a_small_text_shrinks_the_windows_and_says_so() -> None:
    plan, notes = planned(TEXT[:300], steps=2)
    assert plan.training.batch_size * plan.training.seq_len <= 270
    assert len(notes) == 1
    assert "batch size 16 ->" in notes[0]
    assert planned(TEXT, steps=2, batch_size=8)[1] == ()
    plan, notes = planned(TEXT[:300], steps=2, batch_size=48)
    assert plan.training.batch_size * plan.training.seq_len <= 270
    assert "batch size 48 ->" in notes[0]


def test_parameters_are_counted_as_they_are_shaped() -> None:
    assert ModelConfig(65, "lstm", 2, 128, 0).num_parameters() == (
        4 * 128 * (65 + 128 + 2) + 4 * 128 * (128 + 128 + 2) + 65 * 129
    )
    assert ModelConfig(5, "gru", 1, 3, 2).num_parameters() == 5 * 2 + 9 * (2 + 3 + 2) + 5 * 4
    assert SplitConfig().val_frac == 0.1
