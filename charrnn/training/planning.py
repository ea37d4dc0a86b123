"""Making the plan: sizes that fit the text, and steps that fit the budget.

A short calibration measures this machine's speed on a model of its own, so it uses up none of the
run's randomness: with or without it, the same plan learns the same weights.
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.windows import Windows, fit
from charrnn.engines.choice import MISSING, Kind, candidates, make_engine, native_is_built
from charrnn.model.config import ModelConfig
from charrnn.scoring import CHUNK, STREAMS
from charrnn.training.config import OptimizerConfig, TrainingConfig
from charrnn.training.evaluation import TorchScorer
from charrnn.training.plan import DEFAULT_BUDGET_S, CorpusPlan, Plan, TrainingRequest
from charrnn.training.trainer import Trainer

EVALUATIONS = 10
REPORTS = 400
EVALUATION_SHARE = 0.04
"""Of the budget, for all evaluations during training together."""
FINAL_SHARE = 0.08
"""Of the budget, at most, for the final evaluation."""
FINAL_READINGS = 1.5
"""A final evaluation reads its characters about this often until the states settle."""
CALIBRATION_SHARE = 0.04
"""Of the budget, for measuring before the first step; at most BUDGET_CALIBRATION_S."""
BUDGET_CALIBRATION_S = 4.0
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


def default_threads() -> int:
    """The CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    training, notes = _fit_to_text(request, len(train))
    if request.engine is None and training.device == "cpu" and not native_is_built():
        notes = (*notes, MISSING)
    torch.set_num_threads(training.threads)
    budget = request.budget
    if budget is None and request.steps is None and request.epochs is None:
        budget = DEFAULT_BUDGET_S
    validation = len(corpus.split("validation"))
    final_chars, final_s = validation, 0.0
    if budget is None and None not in (request.engine, request.precision, request.eval_chars):
        speeds = Speeds(step_s=0.0, eval_chars_per_s=0.0)  # nothing depends on them
    else:
        limit = STEPS_CALIBRATION_S
        if budget is not None:
            limit = min(BUDGET_CALIBRATION_S, CALIBRATION_SHARE * budget)
        kind, speeds = _calibrate(request, corpus, model, optimizer, training, limit)
        training = replace(training, engine=kind[0], precision=kind[1])
    if budget is not None:
        final_s = FINAL_READINGS * validation / speeds.eval_chars_per_s
        share = min(1.0, FINAL_SHARE * budget / final_s)
        final_chars, final_s = max(2, int(validation * share)), share * final_s
    if request.steps is not None:
        steps = request.steps
    elif request.epochs is not None:
        windows = Windows(train, training.batch_size, training.seq_len)
        steps = max(1, round(request.epochs * windows.per_epoch))
    else:
        assert budget is not None
        left = budget * (1 - EVALUATION_SHARE) - elapsed() - final_s - EXIT_S
        steps = max(1, int(left / speeds.step_s))
    eval_s = EVALUATION_SHARE * steps * speeds.step_s / EVALUATIONS
    eval_chars = int(eval_s * speeds.eval_chars_per_s) - CHUNK * STREAMS
    chosen = replace(
        training,
        steps=steps,
        eval_every=max(1, -(-steps // EVALUATIONS)),
        eval_chars=max(STREAMS, min(validation, eval_chars)),
        report_every=max(1, steps // REPORTS),
    )
    plan = Plan(
        corpus=corpus_plan,
        model=model,
        optimizer=optimizer,
        training=request.training_config(chosen),
        final_chars=final_chars,
        budget_s=budget,
        final_s=final_s,
    )
    return plan, notes


def _fit_to_text(request: TrainingRequest, num_ids: int) -> tuple[TrainingConfig, tuple[str, ...]]:
    """The training sizes, shrunk where the text is small, and a word on that."""
    defaults = replace(
        _UNDECIDED,
        threads=default_threads(),
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    asked = request.training_config(defaults)
    batch_size, seq_len = fit(num_ids, asked.batch_size, asked.seq_len)
    fitted = replace(asked, batch_size=batch_size, seq_len=seq_len)
    if (batch_size, seq_len) == (asked.batch_size, asked.seq_len):
        return fitted, ()
    return fitted, (
        f"a small text, {num_ids:,} characters to train on: batch size {asked.batch_size} -> "
        f"{batch_size}, window {asked.seq_len} -> {seq_len}",
    )


def _calibrate(
    request: TrainingRequest,
    corpus: EncodedCorpus,
    model: ModelConfig,
    optimizer: OptimizerConfig,
    training: TrainingConfig,
    limit: float,
) -> tuple[Kind, Speeds]:
    """Measure for about `limit` seconds; of the engines and precisions on offer, take the best."""
    ids = corpus.split("train")
    trainers = {
        kind: Trainer(
            ids, model, optimizer, replace(training, engine=kind[0], precision=kind[1], steps=1000)
        )
        for kind in _offered(request, training.device)
    }
    started = time.perf_counter()
    seconds: dict[Kind, list[float]] = {}
    for kind, trainer in trainers.items():
        seconds[kind] = [_seconds(trainer.step) for _ in range(3)][1:]
    fastest = min(seconds, key=lambda kind: min(seconds[kind]))
    while time.perf_counter() - started < 0.8 * limit:
        seconds[fastest].append(_seconds(trainers[fastest].step))
    step_s = statistics.median(seconds[fastest])
    scorer = TorchScorer(trainers[fastest].model, make_engine(fastest[0], "fp32", training.threads))
    window = np.zeros((CHUNK, STREAMS), np.int64)
    state = scorer.initial_state(STREAMS)
    eval_s = min(_seconds(lambda: scorer.score(window, window, state)) for _ in range(3))
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


def _seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started
