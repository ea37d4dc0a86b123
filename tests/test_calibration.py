"""Measuring a machine whose clock only moves when a model reads."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from charrnn.corpus.contiguous import ContiguousText
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.runs.events import Measuring
from charrnn.training import calibration
from charrnn.training.calibration import Machine
from charrnn.training.trainer import Trainer

STEP_S, READ_S = 2e-10, 5e-11
"""Seconds for each character and parameter that the made-up machine learns from, and reads."""
TEXT = ContiguousText(np.random.default_rng(0).integers(0, 11, 60_000))


class Clock:
    """A clock that models move by reading."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def step(self, trainer: Trainer) -> None:
        work = trainer.config.batch_size * trainer.config.seq_len
        self.now += STEP_S * work * trainer.model.config.num_parameters()


class SlowScorer:
    """A network that reads on the clock's time, and does nothing else."""

    def __init__(self, clock: Clock, config: ModelConfig) -> None:
        self.config = config
        self._clock = clock

    def initial_state(self, batch_size: int) -> None:
        pass

    def score(self, inputs: np.ndarray[Any, Any], targets: object, state: object) -> None:
        self._clock.now += READ_S * inputs.size * self.config.num_parameters()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the made-up machine, on which this process now runs."""
    clock = Clock()
    monkeypatch.setattr("charrnn.training.timing.time", clock)
    monkeypatch.setattr(Trainer, "step", lambda trainer: clock.step(trainer))
    monkeypatch.setattr(calibration, "make_network", lambda config, *_: SlowScorer(clock, config))
    monkeypatch.setattr(
        calibration, "TorchScorer", lambda model, _: SlowScorer(clock, model.config)
    )
    return clock


@pytest.mark.parametrize(
    ("hidden_size", "batch_size", "seq_len", "budget_s"),
    [(16, 3, 20, 30.0), (64, 7, 2000, 30.0), (2000, 8, 64, 20.0), (600, 5, 9000, 10.0)],
)
def test_measuring_keeps_to_its_share_and_is_right(
    clock: Clock, hidden_size: int, batch_size: int, seq_len: int, budget_s: float
) -> None:
    measured: list[Measuring] = []
    model = ModelConfig(11, "gru", 1, hidden_size)
    step = StepConfig(batch_size=batch_size, seq_len=seq_len)
    machine = Machine(TEXT, step, [("torch", "fp32")], budget_s, measured.append)
    about_s = machine.step_seconds(model)
    kind, speeds = machine.measure(model, OptimizerConfig())
    assert clock.now < 0.15 * budget_s
    assert kind == ("torch", "fp32")
    assert measured == [Measuring(model)] * 2
    parameters = model.num_parameters()
    for step_s in (about_s, speeds.step_s):
        assert step_s == pytest.approx(STEP_S * batch_size * seq_len * parameters, rel=0.05)
    assert speeds.eval_chars_per_s == pytest.approx(1 / (READ_S * parameters))
    assert speeds.judged_chars_per_s == pytest.approx(1 / (3 * READ_S * parameters))


def test_an_engine_that_is_left_behind_is_not_timed_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def step(trainer: Trainer) -> None:
        calls.append(trainer.config.engine)
        clock.now += 0.1 if trainer.config.engine == "reference" else 0.001

    monkeypatch.setattr(Trainer, "step", step)
    kinds: Any = [("reference", "fp32"), ("torch", "fp32")]
    config = StepConfig(batch_size=2, seq_len=10)
    machine = Machine(TEXT, config, kinds, 30.0, lambda _: None)
    model = ModelConfig(11, "gru", 1, 5)
    assert machine.step_seconds(model) == pytest.approx(0.001)
    assert "reference" in calls
    calls.clear()
    assert machine.step_seconds(replace(model, hidden_size=7)) == pytest.approx(0.001)
    assert set(calls) == {"torch"}
