"""`charrnn compare`: cells side by side, on the same text and the same terms."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.arguments import format_count, parse_duration, parse_number, parse_size
from charrnn.cli.terminal import Color, ColorOption, QuietOption, make_console
from charrnn.cli.text_options import (
    AsBytesOption,
    EncodingOption,
    ExcludeOption,
    IncludeOption,
    MinCountOption,
    NormalizeOption,
)
from charrnn.engines.config import EngineName
from charrnn.errors import CharRNNError
from charrnn.model.config import CELL_NAMES, ModelConfig
from charrnn.training.config import Device, TrainingConfig
from charrnn.training.terms import BUDGET_S, PARAMETERS, Terms

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from charrnn.training.comparison import CellResult, Comparison
    from charrnn.training.curves import Curve

STOPPING = "When each stops (--budget, --steps or --epochs)"
SIZE = "Size"
SHARED = "The same for all"
RUNS = "The runs"
RESULT = "The result"
PLAIN_WIDTH = 200
"""Columns where there is no terminal: a table is not folded into a pipe."""
ROOMY = 100
"""Columns with room for wider gaps."""


def compare(
    context: typer.Context,
    corpus: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CORPUS...", help="The same that `charrnn train` takes.", show_default=False
        ),
    ] = None,
    cells: Annotated[
        str,
        typer.Option(metavar="CELL,CELL,...", help="Which, in the order of their training."),
    ] = ",".join(CELL_NAMES),
    budget: Annotated[
        float | None,
        typer.Option(
            parser=parse_duration,
            metavar="TIME",
            help="Equal time: 90s, 5m, 2h of training for each cell.",
            show_default=f"{BUDGET_S:g}s",
            rich_help_panel=STOPPING,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="N",
            help="Equal characters: optimizer steps of each cell.",
            rich_help_panel=STOPPING,
        ),
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="N",
            help="Equal characters: readings of the training text by each cell.",
            rich_help_panel=STOPPING,
        ),
    ] = None,
    parameters: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="N",
            help="Each cell gets the hidden size that comes nearest to so many.",
            show_default=format_count(PARAMETERS),
            rich_help_panel=SIZE,
        ),
    ] = None,
    hidden_size: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="H",
            help="One hidden size for all instead.",
            rich_help_panel=SIZE,
        ),
    ] = None,
    num_layers: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="L",
            help="Layers.",
            show_default=str(ModelConfig.num_layers),
            rich_help_panel=SIZE,
        ),
    ] = None,
    embedding_size: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="E",
            help="Width of a linear embedding of the one-hot input; 0 for none.",
            show_default=str(ModelConfig.embedding_size),
            rich_help_panel=SIZE,
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="X",
            help="Highest learning rate.",
            show_default=str(Terms.lr),
            rich_help_panel=SHARED,
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="P",
            help="Units dropped between layers and on the output.",
            show_default=str(Terms.dropout),
            rich_help_panel=SHARED,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="B",
            help="Parallel streams.",
            show_default=str(TrainingConfig.batch_size),
            rich_help_panel=SHARED,
        ),
    ] = None,
    seq_len: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="T",
            help="Steps that the gradient reaches back.",
            show_default=str(TrainingConfig.seq_len),
            rich_help_panel=SHARED,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="N",
            help="Of weights and dropout.",
            show_default=str(TrainingConfig.seed),
            rich_help_panel=SHARED,
        ),
    ] = None,
    eval_chars: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="N",
            help="Characters that each evaluation reads, about.",
            show_default="what the slowest cell has time for",
            rich_help_panel=SHARED,
        ),
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(
            help="What runs the recurrence.",
            show_default="the fastest that runs all of them",
            rich_help_panel=SHARED,
        ),
    ] = None,
    device: Annotated[
        Device | None,
        typer.Option(show_default="cuda if there is one", rich_help_panel=SHARED),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            parser=parse_size, metavar="N", show_default="all CPUs", rich_help_panel=SHARED
        ),
    ] = None,
    as_bytes: AsBytesOption = False,
    encoding: EncodingOption = None,
    normalize: NormalizeOption = None,
    min_count: MinCountOption = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="The runs are called NAME-CELL.",
            show_default="the text's, and -compare",
            rich_help_panel=RUNS,
        ),
    ] = None,
    replace_runs: Annotated[
        bool,
        typer.Option("--replace", help="Write over runs of that --name.", rich_help_panel=RUNS),
    ] = False,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where to draw the curves: a .png or .svg; needs matplotlib.",
            show_default="checkpoints/NAME.png",
            rich_help_panel=RESULT,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print JSON, with every curve, instead.", rich_help_panel=RESULT
        ),
    ] = False,
    quiet: QuietOption = False,
    color: ColorOption = Color.AUTO,
) -> None:
    """Train several cells on the same text, on the same terms, and compare what they learn.

    All have about the same number of parameters, the same split, seed, engine
    and precision (fp32). Each is an ordinary run that can be sampled and resumed.
    stdout gets a table; on a terminal, the curves too.
    """
    from charrnn import api, plotting
    from charrnn.cli.interrupts import EXIT_BASE, Interrupts
    from charrnn.cli.process import prepare_for_training
    from charrnn.cli.progress import ComparisonDisplay
    from charrnn.cli.reading import announce_terminal
    from charrnn.training.events import Event, RunStarted, StopRequest
    from charrnn.training.plan import TrainingRequest

    if plot is not None:
        plotting.check_target(Path(plot))
    if not quiet:
        announce_terminal(corpus or ())
    prepare_for_training()
    stop = StopRequest()
    display = ComparisonDisplay(color)
    with Interrupts(stop) as interrupts:

        def on_event(event: Event) -> None:
            if isinstance(event, RunStarted):
                interrupts.install()
            if not quiet:
                display.show(event)

        names = TrainingRequest.__dataclass_fields__.keys() & context.params.keys()
        try:
            comparison = api.compare(
                corpus or (),
                cells=[cell.strip() for cell in cells.split(",") if cell.strip()],
                parameters=parameters,
                name=name,
                replace=replace_runs,
                on_event=on_event,
                stop=stop,
                **{option: context.params[option] for option in names},
            )
        finally:
            display.close()
    if as_json:
        print(json.dumps(_record(comparison)))
    else:
        _print_result(make_console(sys.stdout, color), comparison)
    if comparison.curves:
        _draw(comparison, None if plot is None else Path(plot), quiet=quiet)
    if comparison.not_trained and not quiet:
        print(f"not trained: {', '.join(comparison.not_trained)}", file=sys.stderr)
    if stop.signal is not None:
        raise typer.Exit(EXIT_BASE + stop.signal)
    failed = [f"{each.cell} failed: {each.error}" for each in comparison.results if each.error]
    if failed:
        raise CharRNNError("; ".join(failed))


def _draw(comparison: "Comparison", path: Path | None, *, quiet: bool) -> None:
    """Write the picture, to where it lies by default if there is something to draw it with."""
    from charrnn import plotting
    from charrnn.run_folder import CHECKPOINTS

    if path is None and not plotting.is_available():
        if not quiet:
            print(f"no picture: {plotting.MISSING}", file=sys.stderr)
        return
    path = path or CHECKPOINTS / f"{comparison.name}.png"
    plotting.draw(_labelled(comparison), _heading(comparison), path)
    if not quiet:
        print(f"curves: {path}", file=sys.stderr)


def _print_result(console: "Console", comparison: "Comparison") -> None:
    """What was compared, the table, what its figures are, and on a terminal the curves."""
    from charrnn.cli.terminal_plot import print_curves

    terminal = console.is_terminal
    if not terminal:
        console.width = max(console.width, PLAIN_WIDTH)
    console.print(_heading(comparison), markup=False)
    console.print(_table(comparison, gap=2 if console.width >= ROOMY else 1))
    for line in _legend(comparison):
        console.print(line, markup=False)
    if terminal and comparison.curves:
        console.print()
        print_curves(console, _labelled(comparison))


def _table(comparison: "Comparison", gap: int) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    table.add_column("cell", no_wrap=True)
    characters, seconds = comparison.equal_characters, comparison.equal_seconds
    for heading in (
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
        table.add_column(heading, justify="right", no_wrap=True)
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


def _about(curve: "Curve") -> str:
    """The sign before a figure that no final evaluation has made exact."""
    return "~" if curve.exact_nats is None else ""


def _bits(nats: float | None) -> str:
    from charrnn.scoring import bits

    return "-" if nats is None else f"{bits(nats):.3f}"


def _heading(comparison: "Comparison") -> str:
    plan = comparison.results[0].plan
    training = plan.training
    return (
        f"{plan.corpus.name}: {plan.corpus.num_symbols:,} characters, "
        f"{plan.model.vocab_size} distinct; {training.engine} {training.precision} on "
        f"{training.device}, {training.threads} threads, seed {training.seed}"
    )


def _legend(comparison: "Comparison") -> list[str]:
    """What the figures are, and what happened to a cell that is not like the others."""
    plan = comparison.results[0].plan
    lines = [
        f"nats, bits: of the best model, exactly, on {plan.final_chars:,} validation characters",
        "end, at: bits at the end, after equal characters, after equal seconds, on "
        f"{plan.training.eval_chars:,}",
        "  of them, the same for all; interpolated between evaluations",
    ]
    for each in comparison.results:
        lr_scale = each.curve.lr_scale
        if lr_scale < 1:
            lines.append(f"{each.cell}: diverged, went on with {lr_scale:g} of the learning rate")
        if each.ended not in ("finished", "deadline"):
            lines.append(f"{each.cell}: {each.ended}")
    return lines


def _labelled(comparison: "Comparison") -> "list[Curve]":
    """The curves, the best first, their names with the number of parameters."""
    return [
        replace(each.curve, name=f"{each.cell}, {format_count(each.num_parameters)} parameters")
        for each in comparison.results
        if each.curve.points
    ]


def _record(comparison: "Comparison") -> dict[str, Any]:
    plan = comparison.results[0].plan
    return {
        "name": comparison.name,
        "corpus": plan.corpus.name,
        "engine": plan.training.engine,
        "precision": plan.training.precision,
        "device": plan.training.device,
        "threads": plan.training.threads,
        "seed": plan.training.seed,
        "budget_s": plan.budget_s,
        "eval_characters": plan.training.eval_chars,
        "final_characters": plan.final_chars,
        "equal_characters": comparison.equal_characters,
        "equal_seconds": comparison.equal_seconds,
        "cells": [_cell_record(each, comparison) for each in comparison.results],
        "not_trained": comparison.not_trained,
    }


def _cell_record(each: "CellResult", comparison: "Comparison") -> dict[str, Any]:
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
    from charrnn.scoring import bits

    return {f"{name}_nats": nats, f"{name}_bits_per_char": None if nats is None else bits(nats)}
