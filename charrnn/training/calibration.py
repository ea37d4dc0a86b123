"""How fast this machine trains on a text and reads it, measured on models of its own.

A step cannot be stopped once it has begun, and how long it takes is what is to be found out. So a
step with much work is first timed in a small part, a few characters of each stream through a narrow
model, and then in the largest part that there is time for. The whole step takes as many times as
long as it has more work.

Measuring uses up none of a run's randomness: with or without it, the same plan learns the same
weights.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.split import Split
from charrnn.engines.selection import Kind, make_engine
from charrnn.experts.text_counts import TextCounts
from charrnn.inference.make_network import make_network
from charrnn.inference.parallel_reading import CHUNK, STREAMS
from charrnn.inference.scoring import Scorer
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SAMPLING_PRECISIONS
from charrnn.plan.budget import Speeds
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.runs.events import Measuring
from charrnn.training.benchmark import make_trainers
from charrnn.training.timing import ROUNDS, mean_seconds, median_seconds
from charrnn.training.torch_scorer import TorchScorer
from charrnn.training.trainer import Trainer

BUDGET_SHARE = 0.025
"""Fraction of a budget that measuring may take, as long as that is less than MOST_BUDGET_S."""
MOST_BUDGET_S = 3.0
"""Seconds that measuring may take of a budget, however long that is."""
WITHOUT_BUDGET_S = 0.3
"""Seconds that measuring takes where no budget depends on it, only the choice of an engine."""
TIMING_SHARES = (0.3, 0.6, 0.1)
"""Fractions of those seconds that go to choosing the engine, to timing its steps, and to timing how
fast it reads."""
LEFT_BEHIND = 2.0
"""An engine that takes this many times as long as the fastest one is not timed again."""
SMALL_WORK = 1e9
"""A step with less work than this, in characters times parameters, is timed as a whole."""
PROBE_CHARS = 512
"""Characters that the smallest part of a step reads, about, in all streams together."""
PROBE_PARAMETERS = 1_000_000
"""Parameters that the model of the smallest part of a step has, about, at most."""
SHORT_READING = 8
"""Characters of each stream that are read first while reading is timed. The networks that sample
are much slower where they are not native."""


@dataclass(frozen=True)
class Part:
    """A part of the training step of one model, on each of several engines."""

    trainers: dict[Kind, Trainer]
    """What takes the partial steps, by engine and precision."""
    share: float
    """The part's work as a fraction of the whole step's."""
    rounds: int = ROUNDS
    """How often the part is timed at least: once where even that takes long."""

    def step_seconds(self, seconds: float) -> dict[Kind, float]:
        """About the median seconds of a whole step, by engine; timed for about `seconds`."""
        steps = {kind: trainer.step for kind, trainer in self.trainers.items()}
        part_s = median_seconds(steps, seconds, self.rounds)
        return {kind: time_s / self.share for kind, time_s in part_s.items()}


class Machine:
    """Measures models on one text and one kind of step, engine by engine."""

    def __init__(
        self,
        split: Split,
        step: StepConfig,
        kinds: Sequence[Kind],
        budget_s: float | None,
        report: Callable[[Measuring], None],
        counts: TextCounts | None = None,
    ) -> None:
        """Measure on `split` with `step`, whose engine and precision are those of `kinds` in turn.

        A run with a budget of `budget_s` seconds is measured for longer than one with none. Before
        a model is measured, `report` hears which. `counts` are those of `split`, if there are any
        already.
        """
        self._counts = counts or TextCounts(split)
        self._split = split
        self._step = step
        self._kinds = list(kinds)
        self._report = report
        self._limit_s = WITHOUT_BUDGET_S
        if budget_s is not None:
            self._limit_s = min(MOST_BUDGET_S, BUDGET_SHARE * budget_s)

    def step_seconds(self, model: ModelConfig) -> float:
        """About how many seconds a training step of `model` takes on the fastest engine.

        An engine that is left far behind once is not timed again.
        """
        part = self._largest_part(model, OptimizerConfig())
        return min(self._keep_fast(part.step_seconds(0.0)).values())

    def measure(self, model: ModelConfig, optimizer: OptimizerConfig) -> tuple[Kind, Speeds]:
        """The fastest engine and precision for `model`, and how fast that is."""
        choosing_s, stepping_s, reading_s = (share * self._limit_s for share in TIMING_SHARES)
        part = self._largest_part(model, optimizer)
        # Taken before the steps, at whose learning rate they may become infinite.
        weights = next(iter(part.trainers.values())).model.weights()
        step_s = part.step_seconds(choosing_s)
        fastest = min(step_s, key=lambda kind: step_s[kind])
        trainer = part.trainers[fastest]
        mean_step_s = mean_seconds(trainer.step, stepping_s, part.rounds) / part.share
        timed = trainer.model.config
        text = np.asarray(self._split.ids[: CHUNK * STREAMS], np.int64)
        judged_s = _judging_seconds(timed, weights, self._step.threads, text)
        engine = make_engine(fastest[0], "fp32", self._step.threads)
        eval_s = _evaluation_seconds(TorchScorer(trainer.model, engine), text, reading_s)
        narrower = timed.num_parameters() / model.num_parameters()
        return fastest, Speeds(mean_step_s, narrower / eval_s, narrower / judged_s)

    def _largest_part(self, model: ModelConfig, optimizer: OptimizerConfig) -> Part:
        """The largest part of a step of `model` that can be timed soon; often the whole step."""
        self._report(Measuring(model))
        length = self._step.seq_len
        if model.num_parameters() * self._step.batch_size * length <= SMALL_WORK:
            return self._part(model, optimizer, length, model)
        shortest = min(length, max(1, PROBE_CHARS // self._step.batch_size))
        probe = replace(self._part(_narrowed(model), optimizer, shortest, model), rounds=1)
        step_s = self._keep_fast(probe.step_seconds(0.0))
        calls_s = (ROUNDS + 1) * sum(step_s.values())
        while length > shortest and calls_s * length / self._step.seq_len > self._limit_s:
            length //= 2
        if length <= shortest:
            return probe
        return self._part(model, optimizer, length, model)

    def _part(
        self, timed: ModelConfig, optimizer: OptimizerConfig, length: int, model: ModelConfig
    ) -> Part:
        """The part of a step of `model` that reads `length` characters a stream with `timed`."""
        step = replace(self._step, seq_len=length)
        trainers = make_trainers(self._kinds, self._split, timed, optimizer, step, self._counts)
        whole = self._step.seq_len
        # Where records are shorter than windows, a shorter window has as much work.
        share = max(length / whole, self._steps_per_epoch(whole) / self._steps_per_epoch(length))
        return Part(trainers, share * timed.num_parameters() / model.num_parameters())

    def _steps_per_epoch(self, length: int) -> int:
        step = self._step
        return self._split.training_windows(step.batch_size, length, step.seed).per_epoch

    def _keep_fast(self, step_s: dict[Kind, float]) -> dict[Kind, float]:
        """`step_s` without the engines that are left far behind, which are not timed again."""
        limit_s = LEFT_BEHIND * min(step_s.values())
        self._kinds = [kind for kind in self._kinds if step_s[kind] < limit_s]
        return {kind: step_s[kind] for kind in self._kinds}


def _narrowed(model: ModelConfig) -> ModelConfig:
    """`model`, so narrow that it has about PROBE_PARAMETERS, if it has more."""
    ratio = min(1.0, PROBE_PARAMETERS / model.num_parameters())
    return replace(model, hidden_size=max(1, int(model.hidden_size * math.sqrt(ratio))))


def _judging_seconds(
    model: ModelConfig, weights: Weights, threads: int, text: NDArray[np.int64]
) -> float:
    """Seconds in which every sampling precision, one after another, reads one character."""
    networks = [make_network(model, weights, name, threads) for name in SAMPLING_PRECISIONS]
    return sum(_reading_seconds(network, text, SHORT_READING, 0.0, 1) for network in networks)


def _evaluation_seconds(scorer: Scorer, text: NDArray[np.int64], seconds: float) -> float:
    """Seconds in which `scorer` reads one character in parallel streams; timed for `seconds`."""
    char_s = _reading_seconds(scorer, text, SHORT_READING, 0.0, rounds=1)
    steps = CHUNK if char_s * CHUNK * STREAMS < seconds else SHORT_READING
    return _reading_seconds(scorer, text, steps, seconds)


def _reading_seconds(
    scorer: Scorer, text: NDArray[np.int64], steps: int, seconds: float, rounds: int = ROUNDS
) -> float:
    """Median seconds for each character of windows of `steps` characters in parallel streams.

    They are those of `text` (N,), over and over if it has too few: n-gram experts are slow where
    a context has been seen.
    """
    window = np.resize(text, (STREAMS, steps)).T  # (T, B)
    state = scorer.initial_state(STREAMS)
    score = {"": lambda: scorer.score(window, window, state)}
    return median_seconds(score, seconds, rounds)[""] / window.size
