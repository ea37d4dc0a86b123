"""The plans of the runs that a comparison of cells makes.

They are alike in everything that could favour a cell: every run uses the same engine and reads as
much validation text at its evaluations.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from charrnn.comparison.request import ComparisonRequest
from charrnn.comparison.shared_defaults import EVALUATIONS_PER_CELL
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.cpus import affordable_threads, usable_cpus
from charrnn.engines.selection import candidates
from charrnn.model.config import ModelConfig
from charrnn.plan.config import Device, StepConfig
from charrnn.plan.engines import EngineName
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.plan import CorpusPlan, Plan
from charrnn.plan.request import TrainingRequest
from charrnn.training.benchmark import made_up_text, make_trainers
from charrnn.training.choose_plan import make_plan
from charrnn.training.timing import median_seconds

TIMING_S = 0.2
"""Seconds for timing one cell, on all engines together or on the one that was chosen."""


def make_plans(
    request: ComparisonRequest, corpus: EncodedCorpus, corpus_plan: CorpusPlan
) -> tuple[list[Plan], tuple[str, ...]]:
    """(a plan for the run of each cell, notes for the user).

    A budget is the time of one cell's run, and begins with its first step. Raises UsageError if one
    of the cells cannot be trained as asked.
    """
    vocab_size = len(corpus.vocabulary)
    requests = [request.cell_request(cell, vocab_size) for cell in request.cells]
    if "engine" not in request.shared.given:
        models = [cell_request.model_config(vocab_size) for cell_request in requests]
        engine = _fastest_engine(models, request.shared)
        requests = [cell_request.with_options(engine=engine) for cell_request in requests]
    plans: list[Plan] = []
    notes: tuple[str, ...] = ()
    for cell_request in requests:
        plan, notes = make_plan(cell_request, corpus, corpus_plan, elapsed=lambda: 0.0)
        plans.append(plan)
    return _with_equal_evaluations(plans, request.shared), notes


def time_steps(plans: Sequence[Plan]) -> list[float]:
    """Seconds that a training step of each plan takes, all measured in turn."""
    steps = {}
    for plan in plans:
        text = made_up_text(plan.model.vocab_size, plan.step)
        kinds = [(plan.step.engine, plan.step.precision)]
        trainers = make_trainers(kinds, text, plan.model, plan.optimizer, plan.step)
        steps[plan.model.cell] = trainers[kinds[0]].step
    seconds = median_seconds(steps, TIMING_S * len(plans), rounds=1)
    return [seconds[plan.model.cell] for plan in plans]


def _with_equal_evaluations(plans: Sequence[Plan], shared: TrainingRequest) -> list[Plan]:
    """The plans, with evaluations that read as much text as the slowest cell has time for."""
    eval_chars = min(plan.run.eval_chars for plan in plans)
    final_chars = min(plan.final_chars for plan in plans)
    precision_chars = min(plan.precision_chars for plan in plans)
    equal_plans = []
    for plan in plans:
        eval_every = shared.given.get("eval_every") or -(-plan.run.steps // EVALUATIONS_PER_CELL)
        run = replace(plan.run, eval_chars=eval_chars, eval_every=eval_every)
        equal_plans.append(
            replace(plan, run=run, final_chars=final_chars, precision_chars=precision_chars)
        )
    return equal_plans


def _fastest_engine(models: Sequence[ModelConfig], shared: TrainingRequest) -> EngineName:
    """The engine that runs all of `models` and takes the least time for one step of each."""
    device: Device = "cuda" if torch.cuda.is_available() else "cpu"
    step = shared.step_config(StepConfig(threads=usable_cpus(), device=device))
    engines = _common_engines(models, step.device)
    if len(engines) == 1:
        return engines[0]
    step = replace(step, threads=affordable_threads(step.threads)[0])
    torch.set_num_threads(step.threads)
    seconds = dict.fromkeys(engines, 0.0)
    for model in models:
        text = made_up_text(model.vocab_size, step)
        kinds = [(engine, step.precision) for engine in engines]
        trainers = make_trainers(kinds, text, model, OptimizerConfig(), step)
        steps = {engine: trainer.step for (engine, _), trainer in trainers.items()}
        for engine, step_s in median_seconds(steps, TIMING_S).items():
            seconds[engine] += step_s
    return min(engines, key=lambda engine: seconds[engine])


def _common_engines(models: Sequence[ModelConfig], device: str) -> list[EngineName]:
    """Names of the engines that run every one of `models` in fp32; the reference if none does."""
    kinds_by_model = [set(candidates(device, model.cell)) for model in models]
    common = set.intersection(*kinds_by_model)
    engines = [engine for engine, precision in common if precision == "fp32"]
    return sorted(engines) or ["reference"]
