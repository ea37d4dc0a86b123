"""Plans that are fair to each other: one engine, the same sizes of text, the same evaluations."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from charrnn.comparison.request import ComparisonRequest
from charrnn.comparison.shared_defaults import EVALUATIONS
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.engines.selection import candidates
from charrnn.inference.threads import default_threads
from charrnn.model.config import ModelConfig
from charrnn.plan.config import Device, StepConfig
from charrnn.plan.engines import EngineName
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.plan import CorpusPlan, Plan
from charrnn.plan.request import TrainingRequest
from charrnn.training.benchmark import made_up_text, make_trainers
from charrnn.training.calibration import make_plan
from charrnn.training.timing import median_seconds

TIMING_S = 0.2
"""For timing the engines on one cell."""


def make_plans(
    request: ComparisonRequest, corpus: EncodedCorpus, corpus_plan: CorpusPlan
) -> tuple[list[Plan], tuple[str, ...]]:
    """A plan for each cell, and notes for the user; a budget begins with a run's first step.

    Raises UsageError if one of the cells cannot be trained as asked.
    """
    vocab_size = len(corpus.vocabulary)
    requests = [request.training(cell, vocab_size) for cell in request.cells]
    if "engine" not in request.shared.given:
        models = [one.model_config(vocab_size) for one in requests]
        engine = _fastest_engine(models, request.shared)
        requests = [one.with_options(engine=engine) for one in requests]
    plans: list[Plan] = []
    notes: tuple[str, ...] = ()
    for one in requests:
        plan, notes = make_plan(one, corpus, corpus_plan, lambda: 0.0)
        plans.append(plan)
    return _aligned(plans, request.shared), notes


def _aligned(plans: Sequence[Plan], shared: TrainingRequest) -> list[Plan]:
    """The plans with evaluations that read the same: what the slowest cell has time for."""
    evaluated = min(plan.run.eval_chars for plan in plans)
    final = min(plan.final_chars for plan in plans)
    judged = min(plan.precision_chars for plan in plans)
    aligned = []
    for plan in plans:
        every = shared.given.get("eval_every") or -(-plan.run.steps // EVALUATIONS)
        run = replace(plan.run, eval_chars=evaluated, eval_every=every)
        aligned.append(replace(plan, run=run, final_chars=final, precision_chars=judged))
    return aligned


def _fastest_engine(models: Sequence[ModelConfig], shared: TrainingRequest) -> EngineName:
    """Of the engines that run all of `models` the one that takes least time for a step of each."""
    device: Device = "cuda" if torch.cuda.is_available() else "cpu"
    step = shared.step_config(StepConfig(threads=default_threads(), device=device))
    engines = _able(models, step.device)
    if len(engines) == 1:
        return engines[0]
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


def _able(models: Sequence[ModelConfig], device: str) -> list[EngineName]:
    """The engines that run every one of `models` in fp32; the reference, if no other does."""
    offered = [set(candidates(device, model.cell)) for model in models]
    found = [engine for engine, precision in set.intersection(*offered) if precision == "fp32"]
    return sorted(found) or ["reference"]
