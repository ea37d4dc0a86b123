"""Making the plan: sizes that fit the text, and steps that fit the budget.

A short calibration measures this machine's speed on a model of its own, so it uses up none of the
run's randomness: with or without it, the same plan learns the same weights.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from charrnn.corpus.encoded import EncodedCorpus, Split
from charrnn.corpus.records import Records
from charrnn.corpus.windows import fit, make_windows
from charrnn.engines.choice import MISSING, Kind, candidates, make_engine, native_is_built
from charrnn.model.config import ModelConfig
from charrnn.scoring import CHUNK, STREAMS
from charrnn.training.benchmark import make_trainers
from charrnn.training.config import OptimizerConfig, TrainingConfig, default_threads
from charrnn.training.evaluation import TorchScorer
from charrnn.training.plan import DEFAULT_BUDGET_S, CorpusPlan, Plan, TrainingRequest
from charrnn.training.timing import mean_seconds, median_seconds

EVALUATIONS = 10
REPORTS = 400
EVALUATION_SHARE = 0.04
"""Of the budget, for all evaluations during training together."""
FINAL_SHARE = 0.08
"""Of the budget, at most, for the final evaluation."""
FINAL_READINGS = 1.5
"""A final evaluation reads its characters about this often until the states settle."""
CALIBRATION_SHARE = 0.05
"""Of the budget, for measuring before the first step; at most BUDGET_CALIBRATION_S."""
BUDGET_CALIBRATION_S = 6.0
STEPS_CALIBRATION_S = 0.3
"""Seconds for measuring where no budget depends on it, only the choice of a precision."""
EXIT_S = 0.3
"""Saving the last files and leaving Python."""


_UNDECIDED = TrainingConfig(steps=1, eval_every=1, eval_chars=STREAMS, report_every=1)


@dataclass(frozen=True)
class Speeds:
    """What this machine does, measured."""

    step_s: float
    """One training step."""
    eval_chars_per_s: float
    """Reading validation text in parallel streams."""


def make_plan(
    request: TrainingRequest,
    corpus: EncodedCorpus,
    corpus_plan: CorpusPlan,
    elapsed: Callable[[], float],
) -> tuple[Plan, tuple[str, ...]]:
    """Return the complete plan, and notes for the user; `elapsed()` is the command's age in s."""
    model = request.model_config(len(corpus.vocabulary))
    optimizer = request.optimizer_config()
    train = corpus.split("train")
    training, notes = _fit_to_text(request, train)
    if request.engine is None and training.device == "cpu" and not native_is_built():
        notes = (*notes, MISSING)
    torch.set_num_threads(training.threads)
    budget = request.budget
    if budget is None and request.steps is None and request.epochs is None:
        budget = DEFAULT_BUDGET_S
    speeds = Speeds(step_s=0.0, eval_chars_per_s=0.0)
    if budget is not None or None in (request.engine, request.precision, request.eval_chars):
        kind, speeds = _calibrate(request, corpus, model, optimizer, training, budget)
        training = replace(training, engine=kind[0], precision=kind[1])
    validation = len(corpus.split("validation"))
    final_chars, final_s = _final_evaluation(validation, budget, speeds)
    steps = _steps(request, training, train)
    if budget is not None:
        left = budget * (1 - EVALUATION_SHARE) - elapsed() - final_s - EXIT_S
        steps = max(1, int(left / speeds.step_s))
    eval_s = EVALUATION_SHARE * steps * speeds.step_s / EVALUATIONS
    eval_chars = int(eval_s * speeds.eval_chars_per_s) - CHUNK * STREAMS
    training = replace(
        training,
        steps=steps,
        eval_every=request.eval_every or -(-steps // EVALUATIONS),
        eval_chars=request.eval_chars or max(STREAMS, min(validation, eval_chars)),
        report_every=max(1, steps // REPORTS),
    )
    plan = Plan(corpus_plan, model, optimizer, training, final_chars, budget, final_s)
    return plan, notes


def _steps(request: TrainingRequest, training: TrainingConfig, train: Split) -> int:
    """The steps asked for, outright or as epochs; 1 where a budget decides."""
    if request.epochs is None:
        return request.steps or 1
    windows = make_windows(train, training.batch_size, training.seq_len, training.seed)
    return max(1, round(request.epochs * windows.per_epoch))


def _final_evaluation(validation: int, budget: float | None, speeds: Speeds) -> tuple[int, float]:
    """(characters, seconds): the whole split, or as much as its share of the budget allows."""
    if budget is None:
        return validation, 0.0
    seconds = FINAL_READINGS * validation / speeds.eval_chars_per_s
    share = min(1.0, FINAL_SHARE * budget / seconds)
    return max(2, int(validation * share)), share * seconds


def _fit_to_text(request: TrainingRequest, train: Split) -> tuple[TrainingConfig, tuple[str, ...]]:
    """The training sizes, shrunk where a text that is one whole is small, and a word on that."""
    defaults = replace(
        _UNDECIDED,
        threads=default_threads(),
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    asked = request.training_config(defaults)
    if isinstance(train, Records):
        return asked, ()
    batch_size, seq_len = fit(len(train), asked.batch_size, asked.seq_len)
    fitted = replace(asked, batch_size=batch_size, seq_len=seq_len)
    if (batch_size, seq_len) == (asked.batch_size, asked.seq_len):
        return fitted, ()
    return fitted, (
        f"a small text, {len(train):,} characters to train on: batch size {asked.batch_size} -> "
        f"{batch_size}, window {asked.seq_len} -> {seq_len}",
    )


def _calibrate(
    request: TrainingRequest,
    corpus: EncodedCorpus,
    model: ModelConfig,
    optimizer: OptimizerConfig,
    training: TrainingConfig,
    budget: float | None,
) -> tuple[Kind, Speeds]:
    """Measure for a moment; of the engines and precisions on offer, take the fastest."""
    limit = STEPS_CALIBRATION_S
    if budget is not None:
        limit = min(BUDGET_CALIBRATION_S, CALIBRATION_SHARE * budget)
    ids = corpus.split("train")
    kinds = _offered(request, training.device)
    trainers = make_trainers(kinds, ids, model, optimizer, replace(training, steps=1000))
    steps = {kind: trainer.step for kind, trainer in trainers.items()}
    found = median_seconds(steps, seconds=0.3 * limit)
    fastest = min(found, key=lambda kind: found[kind])
    step_s = mean_seconds(steps[fastest], seconds=0.6 * limit)
    scorer = TorchScorer(trainers[fastest].model, make_engine(fastest[0], "fp32", training.threads))
    window = np.zeros((CHUNK, STREAMS), np.int64)
    state = scorer.initial_state(STREAMS)
    eval_s = median_seconds({"": lambda: scorer.score(window, window, state)}, 0.1 * limit)[""]
    return fastest, Speeds(step_s, window.size / eval_s)


def _offered(request: TrainingRequest, device: str) -> list[Kind]:
    """The candidates that the request leaves open; what it names outright is always one."""
    kinds = [
        (engine, precision)
        for engine, precision in candidates(device)
        if request.engine in (None, engine) and request.precision in (None, precision)
    ]
    if kinds:
        return kinds
    asked = request.training_config(_UNDECIDED)
    return [(asked.engine, asked.precision)]
