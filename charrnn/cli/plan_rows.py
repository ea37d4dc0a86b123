"""A training plan in words: what a run will do, and why."""

from dataclasses import asdict
from pathlib import Path

from charrnn.cli.arguments import format_duration
from charrnn.cli.model_facts import architecture
from charrnn.plan.plan import Plan

Row = tuple[str, ...]
"""A label and what stands behind it, in one or more columns."""


def plan_rows(plan: Plan, folder: Path) -> list[Row]:
    """(label, words) for everything that the run in `folder` will do."""
    model, step, corpus = plan.model, plan.step, plan.corpus
    unit = "bytes" if corpus.text.as_bytes else "characters"
    machine = f"{step.device}, {step.threads} threads, seed {step.seed}"
    rows: list[Row] = [
        ("run", str(folder)),
        ("text", f"{corpus.name}: {corpus.num_symbols:,} {unit}, {model.vocab_size} distinct"),
        ("model", f"{architecture(model)}, {model.num_parameters():,} parameters"),
        ("training", f"{plan.run.steps:,} steps of {_step_in_words(plan)}"),
        ("engine", f"{step.engine} {step.precision} on {machine}"),
    ]
    if plan.budget_s is not None:
        rows.append(("budget", format_duration(plan.budget_s)))
    return rows


def reason_rows(plan: Plan) -> list[Row]:
    """The option, value and reason of each choice that the plan gives a reason for."""
    values = asdict(plan.model) | asdict(plan.run) | asdict(plan.step)
    values |= asdict(plan.optimizer) | asdict(plan.corpus.splits)
    return [
        (option.replace("_", "-"), f"{values[option]}", reason)
        for option, reason in plan.reasons.items()
    ]


def _step_in_words(plan: Plan) -> str:
    """What one step reads; and the epochs of the run, where they are known beforehand."""
    step, corpus = plan.step, plan.corpus
    if corpus.splits.records is not None:
        return f"{step.batch_size} lines, {step.seq_len} characters of each at a time"
    num_read = plan.run.steps * step.batch_size * step.seq_len
    train_frac = 1 - corpus.splits.val_frac - corpus.splits.test_frac
    epochs = num_read / (corpus.num_symbols * train_frac)
    return f"{step.batch_size} streams x {step.seq_len} characters, {epochs:.3g} epochs"
