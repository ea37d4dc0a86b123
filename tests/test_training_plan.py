import json
import math
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charrnn.cli.plan_rows import readings_in_words
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.text_config import TextConfig
from charrnn.engines.selection import Kind
from charrnn.errors import RunError, UsageError
from charrnn.model.config import ModelConfig
from charrnn.options import declarations
from charrnn.plan.budget import EXIT_S, Speeds
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.plan import CorpusPlan, InitialModel, Plan
from charrnn.plan.recipe import MAX_EPOCHS, choose_dropout
from charrnn.plan.request import TrainingRequest, training_options
from charrnn.training.calibration import Machine
from charrnn.training.choose_plan import MakeMachine, make_plan
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


def planned(
    text: str = TEXT, make_machine: MakeMachine = Machine, **options: Any
) -> tuple[Plan, tuple[str, ...]]:
    request = TrainingRequest(**options)
    corpus = EncodedCorpus.from_text(text, "animals", request.split_config())
    return make_plan(request, corpus, corpus_plan(corpus), lambda: 1.0, make_machine=make_machine)


class FixedMachine(Machine):
    """A machine whose steps take 20 ms in a first short look, and 1 ms in a row."""

    def step_seconds(self, model: ModelConfig) -> float:
        return 0.02

    def measure(self, model: ModelConfig, optimizer: OptimizerConfig) -> tuple[Kind, Speeds]:
        return ("reference", "fp32"), Speeds(0.001, eval_chars_per_s=1e6, judged_chars_per_s=1e6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 5, "epochs": 1}, "`steps` and `epochs` both say how much to train"),
        ({"budget": 0.5}, "`budget` 0.5: must be from 1 to 1000000000 seconds"),
        ({"budget": math.nan}, "`budget` nan"),
        ({"epochs": 0}, "`epochs` 0"),
        ({"steps": 0}, "`steps` 0"),
        ({"cell": "elman"}, "`cell` elman: choose one of rnn, gru, lstm"),
        ({"hidden_size": 0}, "`hidden_size` 0"),
        ({"num_layers": 65}, "`num_layers` 65"),
        ({"embedding_size": -1}, "`embedding_size` -1"),
        ({"dropout": 1.0}, "`dropout` 1"),
        ({"weight_drop": -0.5}, "`weight_drop` -0.5"),
        ({"lr": 0.0}, "`lr` 0: must be above 0 and below 100"),
        ({"lr": math.nan}, "`lr` nan"),
        ({"clip_norm": -1.0}, "`clip_norm` -1"),
        ({"clip_value": math.inf}, "`clip_value` inf"),
        ({"optimizer": "adam"}, "`optimizer` adam: choose one of adamw, rmsprop, sgd"),
        ({"lr_decay": 1.5}, r"`lr_decay` 1\.5"),
        ({"lr_decay_after": 0}, "`lr_decay_after` 0"),
        ({"alpha": 1.0}, "`alpha` 1: must be at least 0 and below 1"),
        ({"momentum": -0.5}, r"`momentum` -0\.5"),
        ({"init_range": -0.1}, r"`init_range` -0\.1"),
        ({"batch_size": 0}, "`batch_size` 0"),
        ({"seq_len": -3}, "`seq_len` -3"),
        ({"reset_prob": 1.5}, r"`reset_prob` 1\.5"),
        ({"seed": -1}, "`seed` -1"),
        ({"threads": 0}, "`threads` 0"),
        ({"engine": "warp"}, "`engine` warp"),
        ({"engine": "native", "cell": "jordan"}, "`cell` jordan runs on reference only"),
        ({"engine": "native", "cell": "irnn"}, "`cell` irnn runs on torch and reference only"),
        ({"precision": "bf16", "cell": "bow"}, "`cell` bow runs on reference only, which has fp32"),
        ({"precision": "fp8"}, "`precision` fp8"),
        ({"device": "tpu"}, "`device` tpu"),
        ({"val_frac": 0.7, "test_frac": 0.3}, "leave text to train on"),
    ],
)
def test_options_out_of_range_are_usage_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainingRequest(**options)


def test_a_text_of_too_many_symbols_is_learned_without_experts() -> None:
    text = "".join(map(chr, range(0x20000, 0x31170)))  # 70,000 ideographs and unassigned ones
    options = {"steps": 2, "hidden_size": 3, "embedding_size": 2, "batch_size": 2, "seq_len": 2}
    plan, notes = planned(text, FixedMachine, **options)
    assert plan.model.ngram_order == 0
    assert notes == (
        "the text has 70,000 distinct characters: too many for n-gram experts, which know 65,535 "
        "at most; the net learns alone",
    )
    assert planned(text, FixedMachine, ngram_order=0, **options)[1] == ()
    with pytest.raises(UsageError, match=r"`ngram_order` 5: .* this text has 70,000; leave it out"):
        planned(text, FixedMachine, ngram_order=5, **options)


def test_a_plan_survives_the_round_trip(tmp_path: Path) -> None:
    plan, _ = planned(steps=7, exclude=("*.log", "old"), clip_value=0.5)
    plan = replace(plan, init=InitialModel("old", "/old/model.safetensors", "0" * 64))
    plan.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == plan


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[]", "not a JSON object"),
        ("{}", "'corpus' is missing"),
        ('{"corpus": 3}', "'corpus' is 3, not an object"),
        ("[" * 99_999, "recursion"),
        (
            '{"format": "charrnn-model", "format_version": 1}',
            "not a plan: its format is 'charrnn-model' version 1",
        ),
    ],
)
def test_what_is_no_plan_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(RunError, match=rf"plan\.json' is .*{message}"):
        Plan.read(path)


@pytest.mark.parametrize(
    ("section", "name", "value", "message"),
    [
        ("model", "hidden_size", "many", "'hidden_size' is 'many', not int"),
        ("model", "cell", "elman", "'cell' is 'elman', not one of rnn, gru"),
        ("model", "hidden_size", 0, "`hidden_size` 0"),
        ("optimizer", "lr", None, "'lr' is None, not float"),
        ("step", "batch_size", 2.5, r"'batch_size' is 2\.5, not int"),
        ("run", "save_every", "soon", "`save_every` soon"),
        ("corpus", "arguments", "text", "'arguments' is 'text'"),
    ],
)
def test_a_damaged_value_of_a_plan_is_named(
    section: str, name: str, value: Any, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    planned(steps=7)[0].write(path)
    values = json.loads(path.read_text())
    values[section][name] = value
    path.write_text(json.dumps(values))
    with pytest.raises(RunError, match=message):
        Plan.read(path)


def test_entries_that_a_later_charrnn_adds_to_a_plan_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    plan, _ = planned(steps=7)
    plan.write(path)
    values = json.loads(path.read_text())
    values["mood"] = values["step"]["mood"] = "good"
    path.write_text(json.dumps(values))
    assert Plan.read(path) == plan


def test_the_command_says_everything_that_was_decided() -> None:
    plan, _ = planned(steps=7, cell="gru", hidden_size=20, dropout=0.25, val_frac=0.2)
    words = shlex.split(plan.command(plan.corpus.name))
    assert words[:3] == ["charrnn", "train", "my animals.txt"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    names = {name.removeprefix("--").replace("-", "_") for name in options}
    not_asked_for = {"records", "preset", "init_from", "lr_decay", "private"}
    of_the_text = {option.name for option in declarations(TextConfig)}
    without_meaning = {option.name for option in training_options() if option.option.only_with}
    assert {"lr_decay_after", "alpha", "momentum"} <= without_meaning
    told_in_steps = {"budget", "epochs"}
    declared = {option.name for option in training_options()} - of_the_text
    assert names == declared - told_in_steps - not_asked_for - without_meaning
    assert options["--cell"] == "gru"
    assert options["--dropout"] == "0.25"
    assert options["--steps"] == "7"
    assert float(options["--val-frac"]) == 0.2


@pytest.mark.parametrize(
    ("text", "run", "named"),
    [
        ("notes", "notes", []),
        ("notes", "notes-2", []),
        ("part-2", "part-2", []),
        ("a, b", "a", []),
        ("a and 4 more", "a-3", []),
        ("notes", "my notes", ["--name", "my notes", "--replace"]),
        ("notes", "notes-two", ["--name", "notes-two", "--replace"]),
        ("notes", "note", ["--name", "note", "--replace"]),
    ],
)
def test_the_command_names_a_run_that_its_text_does_not(
    text: str, run: str, named: list[str]
) -> None:
    plan, _ = planned(steps=7)
    plan = replace(plan, corpus=replace(plan.corpus, name=text))
    words = shlex.split(plan.command(run))
    assert words[3 : 3 + len(named)] == named
    assert ("--name" in words) == bool(named)


def test_a_plan_made_from_its_own_command_is_the_same_plan() -> None:
    plan, _ = planned(budget=5, hidden_size=20)
    words = shlex.split(plan.command(plan.corpus.name))[3:]
    text = dict(zip(words[::2], words[1::2], strict=True))
    options: dict[str, Any] = {}
    for name, value in text.items():
        number = float(value) if value.replace(".", "").isdigit() else value
        whole = isinstance(number, float) and number.is_integer() and "." not in value
        options[name[2:].replace("-", "_")] = int(number) if whole else number
    again, _ = planned(**options)
    assert again.step == plan.step
    assert again.run == replace(plan.run, report_every=again.run.report_every)
    assert (again.model, again.optimizer) == (plan.model, plan.optimizer)


def test_a_budget_decides_the_steps() -> None:
    short, _ = planned(TEXT * 50, FixedMachine, budget=4, hidden_size=16)
    long, _ = planned(TEXT * 50, FixedMachine, budget=12, hidden_size=16)
    assert short.budget_s == 4
    spent = 1.0 + 0.03 * 4 + short.final_s + EXIT_S  # the age, evaluations, the end
    assert short.run.steps == int((4 - spent) / 0.001)
    assert short.run.steps < long.run.steps


def test_of_a_budget_and_steps_whichever_comes_first_decides() -> None:
    options: dict[str, Any] = {"hidden_size": 16, "budget": 4}
    alone, _ = planned(TEXT * 50, FixedMachine, **options)
    few, _ = planned(TEXT * 50, FixedMachine, **options, steps=99)
    many, _ = planned(TEXT * 50, FixedMachine, **options, steps=10**6)
    assert (few.run.steps, few.most_steps, few.budget_s) == (99, 99, 4)
    assert (few.reasons["steps"], many.reasons["steps"][:15]) == ("as asked", "fill the budget")
    assert many.run.steps == alone.run.steps
    assert many.most_steps == 10**6
    epochs, _ = planned(TEXT * 50, FixedMachine, **options, epochs=2)
    readings = epochs.run.steps * epochs.step.batch_size * epochs.step.seq_len
    assert readings == pytest.approx(2 * 0.9 * 50 * len(TEXT), rel=0.05)


def test_little_time_means_fewer_evaluations_but_none_of_a_few_characters() -> None:
    text = TEXT * 500
    short, _ = planned(text, budget=2, hidden_size=64)
    long, _ = planned(text, budget=200, hidden_size=64)
    by_steps, _ = planned(text, steps=50, hidden_size=64)
    assert short.run.eval_chars >= 4096
    assert long.run.eval_chars > short.run.eval_chars
    assert by_steps.run.eval_chars >= 4096
    assert _evaluations(short) < _evaluations(long) == _evaluations(by_steps) == 10


def _evaluations(plan: Plan) -> int:
    return round(plan.run.steps / plan.run.eval_every)


def test_dropout_fits_the_readings_of_the_plan_not_of_the_first_guess() -> None:
    text = (TEXT * 1000)[:300_000]
    plan, _ = planned(text, FixedMachine, budget=10, hidden_size=512)
    readings = plan.run.steps * plan.step.batch_size * plan.step.seq_len / 270_000
    assert 20 < readings < MAX_EPOCHS
    expected = choose_dropout(readings, plan.model.num_parameters() / 270_000)
    assert plan.model.dropout == pytest.approx(expected, abs=0.011)
    assert expected > choose_dropout(readings / 2, plan.model.num_parameters() / 270_000)


def test_a_small_text_is_not_read_for_ever() -> None:
    plan, _ = planned(TEXT[:2000], budget=60, hidden_size=16)
    read = plan.run.steps * plan.step.batch_size * plan.step.seq_len
    assert read == pytest.approx(MAX_EPOCHS * 1800, rel=0.1)
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


def test_weight_drop_follows_a_dropout_that_was_asked_for() -> None:
    options: dict[str, Any] = {"hidden_size": 20, "epochs": 20, "eval_chars": 64}
    options |= {"engine": "reference", "precision": "fp32"}  # so that nothing is measured
    assert planned(**options)[0].model.weight_drop > 0
    assert planned(**options, dropout=0.0)[0].model.weight_drop == 0
    assert planned(**options, dropout=0.35)[0].model.weight_drop == 0.25


def test_an_identity_is_neither_dropped_nor_carried_unless_that_is_asked_for() -> None:
    options: dict[str, Any] = {"hidden_size": 20, "epochs": 20, "cell": "irnn"}
    # so that nothing is measured
    options |= {"engine": "reference", "precision": "fp32", "eval_chars": 64}
    chosen, _ = planned(**options)
    assert (chosen.model.weight_drop, chosen.step.reset_prob) == (0.0, 1.0)
    asked, _ = planned(**options, weight_drop=0.2, reset_prob=0.3)
    assert (asked.model.weight_drop, asked.step.reset_prob) == (0.2, 0.3)
    other, _ = planned(**{**options, "cell": "gru"})
    assert other.model.weight_drop > 0
    assert other.step.reset_prob < 0.1
    assert planned(**{**options, "cell": "bow"})[0].model.weight_drop == 0  # it has none to drop


def test_a_longer_run_gets_a_wider_model() -> None:
    short, _ = planned(TEXT * 50, steps=100)
    long, _ = planned(TEXT * 50, steps=2000)
    assert short.model.hidden_size < long.model.hidden_size


def test_epochs_are_readings_of_the_training_split() -> None:
    plan, _ = planned(epochs=3, batch_size=4, seq_len=32)
    per_epoch = (int(len(TEXT) * 0.9) - 1) // 4 // 32
    assert plan.run.steps == pytest.approx(3 * per_epoch, abs=3)


def test_a_small_text_shrinks_the_windows_and_says_so() -> None:
    plan, notes = planned(TEXT[:300], steps=2)
    assert plan.step.batch_size * plan.step.seq_len <= 270
    assert len(notes) == 1
    assert "batch size 16 ->" in notes[0]
    assert planned(TEXT, steps=2, batch_size=8)[1] == ()
    plan, notes = planned(TEXT[:300], steps=2, batch_size=48)
    assert plan.step.batch_size * plan.step.seq_len <= 270
    assert "batch size 48 ->" in notes[0]


def test_parameters_are_counted_as_they_are_shaped() -> None:
    assert ModelConfig(65, "lstm", 2, 128, 0).num_parameters() == (
        4 * 128 * (65 + 128 + 2) + 4 * 128 * (128 + 128 + 2) + 65 * 129
    )
    assert ModelConfig(5, "gru", 1, 3, 2).num_parameters() == 5 * 2 + 9 * (2 + 3 + 2) + 5 * 4
    assert SplitConfig().val_frac == 0.1


def test_a_plan_counts_its_readings_of_the_text_once() -> None:
    plan, _ = planned(epochs=3, batch_size=4, seq_len=32, hidden_size=20)
    assert plan.reading_steps is not None
    assert plan.run.steps == 3 * plan.reading_steps
    assert readings_in_words(plan, plan.run.steps) == "3 readings of the text"
    assert plan.reasons["dropout"].startswith("3 readings of the text, ")
    budgeted, _ = planned(budget=60, make_machine=FixedMachine)
    words = readings_in_words(budgeted, budgeted.run.steps)
    assert budgeted.reasons["weight_drop"].startswith(words)
