"""The result of a comparison of cells as a table, as JSON, and on a terminal as curves."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from charrnn.cli.arguments import format_count
from charrnn.words import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from charrnn.comparison.curves import LearningCurve
    from charrnn.comparison.result import CellResult, ComparisonResult

PIPE_WIDTH = 200
"""Columns of a table that goes into a pipe or a file, where it is not folded."""
TITLES = ("cell", "hidden", "params", "ms/step", "chars", "seconds", "nats", "bits", "end")
"""Headings of the table; those of the figures after equal characters and seconds come last."""
LESS_IMPORTANT = ("hidden", "params", "ms/step", "nats", "end")
"""Headings of the columns that a narrow terminal goes without."""


def print_result(console: "Console", comparison: "ComparisonResult") -> None:
    """Print what was compared, the table, what its figures are, and on a terminal the curves."""
    from charrnn.cli.terminal_plot import print_curves

    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    console.print(heading(comparison), markup=False)
    console.print(_table(comparison, console.width))
    for line in _legend(comparison):
        console.print(line, markup=False)
    if console.is_terminal and comparison.curves:
        console.print()
        print_curves(console, labelled_curves(comparison))


def _table(comparison: "ComparisonResult", width: int) -> "Table":
    """A row of figures for each cell, as they are ranked, in at most so many columns of a terminal.

    Where there is no room for all figures, the less important ones are left out.
    """
    from rich.table import Table

    characters, seconds = comparison.equal_characters, comparison.equal_seconds
    at_characters = "at ?" if characters is None else f"at {format_count(characters)}"
    at_seconds = "at ?" if seconds is None else f"at {seconds:.3g}s"
    titles = [*TITLES, at_characters, at_seconds]
    rows = [titles, *(_row(result, comparison) for result in comparison.results)]
    columns = list(zip(*rows, strict=True))
    for gap, left_out in ((2, ()), (1, ()), (1, LESS_IMPORTANT)):
        shown = [column for column in columns if column[0] not in left_out]
        if sum(gap + max(map(len, column)) for column in shown) - gap <= width:
            break
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for title, *_ in shown:
        table.add_column(title, justify="left" if title == "cell" else "right", no_wrap=True)
    for row in list(zip(*shown, strict=True))[1:]:
        table.add_row(*row)
    return table


def _row(result: "CellResult", comparison: "ComparisonResult") -> list[str]:
    """The figures of one cell, in the order of the table's columns; `-` for one that is missing."""
    curve, model = result.curve, result.plan.model
    characters, seconds = comparison.equal_characters, comparison.equal_seconds
    end = curve.points[-1] if curve.points else None
    best_nats = curve.best_nats
    about = "~" if curve.exact_nats is None else ""  # before an estimate
    return [
        result.cell + ("*" if result.is_slowed else ""),
        str(model.hidden_size),
        format_count(result.num_parameters),
        "-" if curve.step_s is None else f"{1000 * curve.step_s:.2f}",
        "-" if end is None else format_count(end.characters),
        "-" if end is None else f"{end.seconds:.1f}",
        "-" if best_nats is None else f"{about}{best_nats:.4f}",
        "-" if best_nats is None else f"{about}{_format_bits(best_nats)}",
        _format_bits(None if end is None else end.nats),
        _format_bits(None if characters is None else curve.at_characters(characters)),
        _format_bits(None if seconds is None or result.is_slowed else curve.at_seconds(seconds)),
    ]


def _format_bits(nats: float | None) -> str:
    """Nats as bits with three decimals; `-` for None."""
    from charrnn.inference.scoring import bits

    return "-" if nats is None else f"{bits(nats):.3f}"


def heading(comparison: "ComparisonResult") -> str:
    """A line with the text that was learned, and the settings that every cell had."""
    plan = comparison.results[0].plan
    step = plan.step
    return (
        f"{plan.corpus.name}: {counted(plan.corpus.num_symbols, 'character')}, "
        f"{plan.model.vocab_size} distinct; {step.engine} {step.precision} on "
        f"{step.device}, {counted(step.threads, 'thread')}, seed {step.seed}"
    )


def _legend(comparison: "ComparisonResult") -> list[str]:
    """Lines that say what the figures are, and which runs did not go as planned."""
    plan = comparison.results[0].plan
    lines = [
        f"nats, bits: of the best model, exactly, on {plan.final_chars:,} validation characters",
        "end, at: bits at the end, after equal characters, after equal seconds, on "
        f"{plan.run.eval_chars:,}",
        "  of them, the same for all; interpolated between evaluations",
    ]
    slowed = [result for result in comparison.results if result.is_slowed]
    if slowed:
        factors = ", ".join(f"{result.cell} {result.slowdown:.1f} times" for result in slowed)
        lines.append(f"* slowed by something else on this machine: {factors}")
        if plan.budget_s is None:
            lines.append("  they learned as much as the others, and only took longer")
        else:
            lines.append("  so they are not ranked; compare again when nothing else runs")
    for result in comparison.results:
        lr_scale = result.curve.lr_scale
        if lr_scale < 1:
            lines.append(f"{result.cell}: diverged, went on with {lr_scale:g} of the learning rate")
        if result.ended not in ("finished", "deadline"):
            lines.append(f"{result.cell}: {result.ended}")
    return lines


def labelled_curves(comparison: "ComparisonResult") -> "list[LearningCurve]":
    """The learning curves, the best cell's first, named after the cell and its parameters."""
    return [
        replace(
            result.curve,
            name=f"{result.cell}, {format_count(result.num_parameters)} parameters"
            + (", slowed" if result.is_slowed else ""),
        )
        for result in comparison.results
        if result.curve.points
    ]


def record(comparison: "ComparisonResult") -> dict[str, Any]:
    """The comparison for JSON, with every evaluation of every cell."""
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
        "cells": [_cell_record(result, comparison) for result in comparison.results],
        "not_trained": comparison.not_trained,
    }


def _cell_record(result: "CellResult", comparison: "ComparisonResult") -> dict[str, Any]:
    """One cell's run for JSON."""
    curve, model = result.curve, result.plan.model
    end = curve.points[-1] if curve.points else None
    characters, seconds = comparison.equal_characters, comparison.equal_seconds
    return {
        "cell": result.cell,
        "run": result.run,
        "ended": result.ended,
        "ranked": result.is_ranked,
        "slowdown": result.slowdown,
        "error": result.error,
        "num_layers": model.num_layers,
        "hidden_size": model.hidden_size,
        "num_parameters": result.num_parameters,
        "lr_scale": curve.lr_scale,
        "ms_per_step": None if curve.step_s is None else 1000 * curve.step_s,
        "steps": None if end is None else end.step,
        "characters": None if end is None else end.characters,
        "seconds": None if end is None else end.seconds,
        **_in_both_units("val", curve.best_nats),
        "exact": curve.exact_nats is not None,
        **_in_both_units("end", None if end is None else end.nats),
        **_in_both_units(
            "equal_characters", None if characters is None else curve.at_characters(characters)
        ),
        **_in_both_units("equal_seconds", None if seconds is None else curve.at_seconds(seconds)),
        "curve": [asdict(point) for point in curve.points],
    }


def _in_both_units(name: str, nats: float | None) -> dict[str, float | None]:
    """A loss per character for JSON, in nats and in bits."""
    from charrnn.inference.scoring import bits

    return {f"{name}_nats": nats, f"{name}_bits_per_char": None if nats is None else bits(nats)}
