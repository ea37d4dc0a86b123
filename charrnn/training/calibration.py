"""How fast this machine trains on a text and reads it, measured on models of its own.

Measuring uses up none of a run's randomness: with or without it, the same plan learns the same
weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from charrnn.corpus.split import Split
from charrnn.engines.selection import Kind, make_engine
from charrnn.inference.parallel_reading import CHUNK, STREAMS
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.training.benchmark import make_trainers
from charrnn.training.timing import mean_seconds, median_seconds
from charrnn.training.torch_scorer import TorchScorer
from charrnn.training.trainer import Trainer

BUDGET_SHARE = 0.025
"""Fraction of a budget that measuring may take, as long as that is less than MOST_BUDGET_S."""
MOST_BUDGET_S = 3.0
"""Seconds that measuring may take of a budget, however long that is."""
WITHOUT_BUDGET_S = 0.3
"""Seconds that measuring takes where no budget depends on it, only the choice of an engine."""
LEFT_BEHIND = 2.0
"""An engine that takes this many times as long as the fastest one is not timed again."""


@dataclass(frozen=True)
class Speeds:
    """How fast the machine is with one model."""

    step_s: float
    """Seconds of one training step."""
    eval_chars_per_s: float
    """Characters of validation text that are read in a second, in parallel streams."""


class Machine:
    """Measures models on one text and one kind of step, engine by engine."""

    def __init__(
        self, split: Split, step: StepConfig, kinds: Sequence[Kind], budget_s: float | None
    ) -> None:
        """Measure on `split` with `step`, whose engine and precision are those of `kinds` in turn.

        A run with a budget of `budget_s` seconds is measured for longer than one with none.
        """
        self._split = split
        self._step = step
        self._kinds = list(kinds)
        self._limit_s = WITHOUT_BUDGET_S
        if budget_s is not None:
            self._limit_s = min(MOST_BUDGET_S, BUDGET_SHARE * budget_s)

    def step_seconds(self, model: ModelConfig) -> float:
        """About how many seconds a training step of `model` takes on the fastest engine.

        An engine that is left far behind once is not timed again.
        """
        steps = _steps_of(self._trainers(model, OptimizerConfig()))
        step_s = median_seconds(steps, seconds=0.0)
        fastest_s = min(step_s.values())
        self._kinds = [kind for kind in self._kinds if step_s[kind] < LEFT_BEHIND * fastest_s]
        return fastest_s

    def measure(self, model: ModelConfig, optimizer: OptimizerConfig) -> tuple[Kind, Speeds]:
        """The fastest engine and precision for `model`, and how fast that is."""
        trainers = self._trainers(model, optimizer)
        steps = _steps_of(trainers)
        step_s = median_seconds(steps, seconds=0.3 * self._limit_s)
        fastest = min(step_s, key=lambda kind: step_s[kind])
        mean_step_s = mean_seconds(steps[fastest], seconds=0.6 * self._limit_s)
        engine = make_engine(fastest[0], "fp32", self._step.threads)
        scorer = TorchScorer(trainers[fastest].model, engine)
        window = np.zeros((CHUNK, STREAMS), np.int64)  # (T, B)
        state = scorer.initial_state(STREAMS)
        score = {"": lambda: scorer.score(window, window, state)}
        window_s = median_seconds(score, 0.1 * self._limit_s)[""]
        return fastest, Speeds(mean_step_s, window.size / window_s)

    def _trainers(self, model: ModelConfig, optimizer: OptimizerConfig) -> dict[Kind, Trainer]:
        return make_trainers(self._kinds, self._split, model, optimizer, self._step)


def _steps_of(trainers: dict[Kind, Trainer]) -> dict[Kind, Callable[[], None]]:
    return {kind: trainer.step for kind, trainer in trainers.items()}
