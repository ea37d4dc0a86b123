"""A training plan in words: what a run will do, and why."""

import shlex
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from charrnn.cli.arguments import format_duration
from charrnn.plan.plan import Plan
from charrnn.words import counted

SHORT_S = 600.0
"""Seconds below which the time at which a run ends is given to the second."""

Row = tuple[str, str]
"""A label and what stands behind it."""


def opening_rows(plan: Plan, folder: Path, elapsed_s: float) -> list[Row]:
    """What a user should know before the first step: text, model, time, how to stop, the place.

    The command is `elapsed_s` seconds old, and the run will lie in `folder`.
    """
    model, step, corpus = plan.model, plan.step, plan.corpus
    size = counted(corpus.num_symbols, _symbol(plan))
    layers = f"{counted(model.num_layers, 'layer')} of {counted(model.hidden_size, 'unit')}"
    if model.ngram_order:
        layers += f" and {model.ngram_order + 1}-grams"
    threads = counted(step.threads, "thread")
    return [
        ("text", f"{corpus.name}: {size}, {model.vocab_size} distinct"),
        (
            "model",
            f"{model.cell}, {layers}, {counted(model.num_parameters(), 'parameter')}; "
            f"{step.engine} {step.precision} on {step.device}, {threads}",
        ),
        ("time", _time_in_words(plan, elapsed_s)),
        ("stop", f"Ctrl-C saves; to go on: charrnn train --resume {shlex.quote(folder.name)}"),
        ("saved in", str(folder)),
    ]


def plan_rows(plan: Plan) -> list[Row]:
    """What a step is, what the run measures, and the choices that a plan gives reasons for."""
    run, step = plan.run, plan.step
    rows = [
        ("training", f"{counted(run.steps, 'step')} of {_step_in_words(plan)}, seed {step.seed}"),
        (
            "evaluation",
            f"every {counted(run.eval_every, 'step')}, on about "
            f"{counted(run.eval_chars, _symbol(plan))} of the validation text",
        ),
    ]
    values = asdict(plan.model) | asdict(plan.run) | asdict(plan.step)
    values |= asdict(plan.optimizer) | asdict(plan.corpus.splits)
    return rows + [
        (option.replace("_", "-"), f"{values[option]}: {reason}")
        for option, reason in plan.reasons.items()
    ]


def readings_in_words(plan: Plan, steps: int) -> str:
    """`32.3 readings of the text`: how often so many steps read it; empty if nobody knows."""
    if plan.reading_steps is None:
        return ""
    return f"{counted(steps / plan.reading_steps, 'reading')} of the text"


def _time_in_words(plan: Plan, elapsed_s: float) -> str:
    """How long the run will take, and how much it reads in all.

    A run that learns on has a budget that counts what it took before: here is what is left of it.
    """
    reads = readings_in_words(plan, plan.run.steps)
    about = f", about {reads}" if reads else ""
    if plan.budget_s is None:
        return counted(plan.run.steps, "step") + about
    left_s = plan.budget_s - elapsed_s
    end = datetime.now() + timedelta(seconds=left_s)
    length = f"{format_duration(round(left_s))} more" if plan.from_step else budget_in_words(plan)
    return f"{length}, until {_clock_time(end, plan.budget_s)}{about}"


def budget_in_words(plan: Plan) -> str:
    """`3m`; `at most 3m` for a run that will have read its text often enough before; or nothing."""
    if plan.budget_s is None:
        return ""
    may_end_sooner = plan.most_steps is not None and plan.run.steps >= plan.most_steps
    return f"{'at most ' if may_end_sooner else ''}{format_duration(plan.budget_s)}"


def _clock_time(moment: datetime, length_s: float) -> str:
    """When a run that takes `length_s` seconds is over, with the day if that is not today."""
    if moment.date() != datetime.now().date():
        return f"{moment:%Y-%m-%d %H:%M}"
    return f"{moment:%H:%M:%S}" if length_s < SHORT_S else f"{moment:%H:%M}"


def _step_in_words(plan: Plan) -> str:
    """What one step reads."""
    step = plan.step
    characters = counted(step.seq_len, _symbol(plan))
    if plan.corpus.splits.records is not None:
        return f"{counted(step.batch_size, 'line')}, {characters} of each at a time"
    return f"{counted(step.batch_size, 'stream')} x {characters}"


def _symbol(plan: Plan) -> str:
    """What a symbol of the text is called."""
    return "byte" if plan.corpus.text.as_bytes else "character"
