"""Presets: their values in the plan, beside other options, and in the run."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn.corpus.split_config import SplitConfig
from charrnn.errors import UsageError
from charrnn.model.config import ModelConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.plan import Plan
from charrnn.plan.presets import PRESET_NAMES, PRESETS, PresetName
from charrnn.plan.request import TrainingRequest
from charrnn.runs.events import Event, RunStarted, StepReport, StopRequest
from tests.conftest import Run
from tests.test_training_plan import planned

SMALL: dict[str, Any] = {"hidden_size": 9, "batch_size": 7, "seq_len": 11}
TEXT = "to be, or not to be: that is the question. " * 400


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def plan_of(text: str = TEXT, **options: Any) -> Plan:
    request = TrainingRequest(**options).with_preset()
    return planned(text, **request.given)[0]


def test_char_rnn_has_the_values_of_its_program_run_without_options() -> None:
    plan = plan_of(preset="char-rnn")
    symbols = len(set(TEXT))
    assert plan.model == ModelConfig(symbols, "lstm", 2, 128, 0, dropout=0.0, weight_drop=0.0)
    assert plan.optimizer == OptimizerConfig(
        optimizer="rmsprop",
        lr=0.002,
        warmup_steps=0,
        lr_decay=0.97,
        lr_decay_after=10,
        alpha=0.95,
        weight_decay=0.0,
        clip_norm=0.0,
        clip_value=0.1,
    )
    assert plan.corpus.splits == SplitConfig(
        0.05, 0.0, split="streams", num_streams=50, stream_unit=50
    )
    step, run = plan.step, plan.run
    assert (step.batch_size, step.seq_len, step.reset_prob) == (50, 50, 0.0)
    assert (step.init_range, run.patience, run.eval_every) == (0.08, 0, 1000)
    windows = len(TEXT) // 2500
    assert run.steps == 50 * int(windows * 0.95)
    assert run.eval_chars == 2500 * (windows - int(windows * 0.95))


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_value_of_a_preset_is_in_its_plan_with_the_reason(name: PresetName) -> None:
    plan = plan_of(preset=name, **SMALL)
    words = shlex.split(plan.command(plan.corpus.name))[3:]
    options = dict(zip(words[::2], words[1::2], strict=True))
    reason = f"from --preset {name}"
    for option, value in PRESETS[name].options.items():
        if option == "epochs":
            assert plan.reasons["steps"] == f"--epochs {value}, {reason}"
        elif option in SMALL:
            assert (options[f"--{option.replace('_', '-')}"]) == f"{SMALL[option]}"
            assert plan.reasons[option] != reason
        else:
            assert plan.reasons[option] == reason
            if option != "eval_chars":
                assert options[f"--{option.replace('_', '-')}"] == f"{value}"


def test_other_options_win_over_a_preset() -> None:
    plan = plan_of(preset="keras", lr=0.004, num_layers=3, steps=17, **SMALL)
    assert (plan.optimizer.lr, plan.model.num_layers, plan.run.steps) == (0.004, 3, 17)
    assert (plan.optimizer.optimizer, plan.step.reset_prob) == ("rmsprop", 1.0)
    assert plan.reasons["lr"] == plan.reasons["num_layers"] == "as asked"
    assert "steps" not in plan.reasons
    assert plan_of(preset="keras", budget=2, **SMALL).budget_s == 2


def test_the_learning_rate_does_not_depend_on_the_number_of_epochs() -> None:
    long, short = plan_of(preset="char-rnn"), plan_of(preset="char-rnn", epochs=3)
    assert short.run.steps * 50 == long.run.steps * 3
    assert short.optimizer == long.optimizer


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(UsageError, match="`preset` char-cnn: choose one of char-rnn, keras, kar"):
        TrainingRequest(preset="char-cnn")  # type: ignore[arg-type]


def stop_after(step: int, stop: StopRequest) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        if isinstance(event, StepReport) and event.step >= step:
            stop.signal = 2

    return on_event


def test_a_preset_is_repeated_by_its_command_and_resumed_to_the_bit(
    text_file: Path, cli: Run
) -> None:
    # Measured anew by each run, the fastest engine may be another one, whose bits differ.
    options: dict[str, Any] = {
        "preset": "char-rnn",
        "engine": "native",
        "steps": 40,
        "lr_decay_after": 1,
        **SMALL,
    }
    plans: list[Plan] = []

    def keep(event: Event) -> None:
        if isinstance(event, RunStarted):
            plans.append(event.plan)

    whole = charrnn.train(text_file, name="whole", on_event=keep, **options)
    stop = StopRequest()
    charrnn.train(text_file, name="stopped", stop=stop, on_event=stop_after(17, stop), **options)
    done = cli(*shlex.split(plans[0].command("again"))[1:], "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    for other in (charrnn.resume("stopped"), charrnn.load("again")):
        assert other.checkpoint.losses == whole.checkpoint.losses
        for name, weights in whole.checkpoint.weights.items():
            assert np.array_equal(other.checkpoint.weights[name], weights), name


def test_a_model_to_start_from_keeps_its_sizes_under_a_preset(text_file: Path) -> None:
    charrnn.train(text_file, name="old", steps=2, cell="gru", embedding_size=5, **SMALL)
    events: list[Event] = []
    sizes: dict[str, Any] = {"batch_size": 7, "seq_len": 11}
    tuned = charrnn.train(
        text_file, init_from="old", preset="char-rnn", steps=2, on_event=events.append, **sizes
    )
    assert tuned.config.cell == "gru"
    started = next(event for event in events if isinstance(event, RunStarted))
    assert started.plan.optimizer.optimizer == "rmsprop"
    assert started.plan.reasons["cell"] == "that of the model it starts from"


def test_help_names_every_preset(cli: Run) -> None:
    shown = cli("train", "--help").stdout.decode()
    assert all(name in shown for name in PRESET_NAMES)
