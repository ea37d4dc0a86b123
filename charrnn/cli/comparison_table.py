"""What a comparison found: as a table, as JSON, and on a terminal as curves."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from charrnn.cli.arguments import format_count

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from charrnn.comparison.curves import LearningCurve
    from charrnn.comparison.result import CellResult, ComparisonResult

PLAIN_WIDTH = 200
"""Columns where there is no terminal: a table is not folded into a pipe."""
ROOMY = 100
"""Columns with room for wider gaps."""


def print_result(console: "Console", comparison: "ComparisonResult") -> None:
    """What was compared, the table, what its figures are, and on a terminal the curves."""
    from charrnn.cli.terminal_plot import print_curves

    terminal = console.is_terminal
    if not terminal:
        console.width = max(console.width, PLAIN_WIDTH)
    console.print(heading(comparison), markup=False)
    console.print(_table(comparison, gap=2 if console.width >= ROOMY else 1))
    for line in _legend(comparison):
        console.print(line, markup=False)
    if terminal and comparison.curves:
        console.print()
        print_curves(console, labelled(comparison))


def _table(comparison: "ComparisonResult", gap: int) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    table.add_column("cell", no_wrap=True)
    characters, seconds = comparison.equal_characters, comparison.equal_seconds
    for title in (
        "hidden",
        "params",
        "ms/step",
        "chars",
        "seconds",
        "nats",
        "bits",
        "end",
        "at ?" if characters is None else f"at {format_count(characters)}",
        "at ?" if seconds is None else f"at {seconds:.3g}s",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for each in comparison.results:
        curve, end = each.curve, each.curve.points[-1] if each.curve.points else None
        table.add_row(
            each.cell,
            str(each.plan.model.hidden_size),
            format_count(each.num_parameters),
            "-" if curve.step_s is None else f"{1000 * curve.step_s:.2f}",
            "-" if end is None else format_count(end.characters),
            "-" if end is None else f"{end.seconds:.1f}",
            "-" if curve.best_nats is None else f"{_about(curve)}{curve.best_nats:.4f}",
            "-" if curve.best_nats is None else f"{_about(curve)}{_bits(curve.best_nats)}",
            _bits(None if end is None else end.nats),
            _bits(None if characters is None else curve.at_characters(characters)),
            _bits(None if seconds is None else curve.at_seconds(seconds)),
        )
    return table


def _about(curve: "LearningCurve") -> str:
    """The sign before a figure that no final evaluation has made exact."""
    return "~" if curve.exact_nats is None else ""


def _bits(nats: float | None) -> str:
    from charrnn.inference.scoring import bits

    return "-" if nats is None else f"{bits(nats):.3f}"


def heading(comparison: "ComparisonResult") -> str:
    """The text, and what all cells have in common."""
    plan = comparison.results[0].plan
    step = plan.step
    return (
        f"{plan.corpus.name}: {plan.corpus.num_symbols:,} characters, "
        f"{plan.model.vocab_size} distinct; {step.engine} {step.precision} on "
        f"{step.device}, {step.threads} threads, seed {step.seed}"
    )


def _legend(comparison: "ComparisonResult") -> list[str]:
    """What the figures are, and what happened to a cell that is not like the others."""
    plan = comparison.results[0].plan
    lines = [
        f"nats, bits: of the best model, exactly, on {plan.final_chars:,} validation characters",
        "end, at: bits at the end, after equal characters, after equal seconds, on "
        f"{plan.run.eval_chars:,}",
        "  of them, the same for all; interpolated between evaluations",
    ]
    for each in comparison.results:
        lr_scale = each.curve.lr_scale
        if lr_scale < 1:
            lines.append(f"{each.cell}: diverged, went on with {lr_scale:g} of the learning rate")
        if each.ended not in ("finished", "deadline"):
            lines.append(f"{each.cell}: {each.ended}")
    return lines


def labelled(comparison: "ComparisonResult") -> "list[LearningCurve]":
    """The curves, the best first, their names with the number of parameters."""
    return [
        replace(each.curve, name=f"{each.cell}, {format_count(each.num_parameters)} parameters")
        for each in comparison.results
        if each.curve.points
    ]


def record(comparison: "ComparisonResult") -> dict[str, Any]:
    """Everything as JSON, with every point of every curve."""
    plan = comparison.results[0].plan
    return {
        "name": comparison.name,
        "corpus": plan.corpus.name,
        "engine": plan.step.engine,
        "precision": plan.step.precision,
        "device": plan.step.device,
        "threads": plan.step.threads,
        "seed": plan.step.seed,
        "budget_s": plan.budget_s,
        "eval_characters": plan.run.eval_chars,
        "final_characters": plan.final_chars,
        "equal_characters": comparison.equal_characters,
        "equal_seconds": comparison.equal_seconds,
        "cells": [_cell_record(each, comparison) for each in comparison.results],
        "not_trained": comparison.not_trained,
    }


def _cell_record(each: "CellResult", comparison: "ComparisonResult") -> dict[str, Any]:
    curve, model = each.curve, each.plan.model
    end = curve.points[-1] if curve.points else None
    characters, seconds = comparison.equal_characters, comparison.equal_seconds
    return {
        "cell": each.cell,
        "run": each.run,
        "ended": each.ended,
        "error": each.error,
        "num_layers": model.num_layers,
        "hidden_size": model.hidden_size,
        "num_parameters": each.num_parameters,
        "lr_scale": curve.lr_scale,
        "ms_per_step": None if curve.step_s is None else 1000 * curve.step_s,
        "steps": None if end is None else end.step,
        "characters": None if end is None else end.characters,
        "seconds": None if end is None else end.seconds,
        **_loss("val", curve.best_nats),
        "exact": curve.exact_nats is not None,
        **_loss("end", None if end is None else end.nats),
        **_loss(
            "equal_characters", None if characters is None else curve.at_characters(characters)
        ),
        **_loss("equal_seconds", None if seconds is None else curve.at_seconds(seconds)),
        "curve": [asdict(point) for point in curve.points],
    }


def _loss(name: str, nats: float | None) -> dict[str, float | None]:
    from charrnn.inference.scoring import bits

    return {f"{name}_nats": nats, f"{name}_bits_per_char": None if nats is None else bits(nats)}
