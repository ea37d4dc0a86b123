"""`charrnn bench`: this machine's characters per second, training and sampling."""

import json
import platform
import sys
from typing import Annotated

import typer

from charrnn.cli.arguments import parse_duration, parse_size
from charrnn.cli.terminal import Color, ColorOption, JsonOption, make_console
from charrnn.model.cells import CellName
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.engines import training_threads


def bench(
    cell: Annotated[CellName, typer.Option(help="The recurrence.")] = "lstm",
    num_layers: Annotated[int, typer.Option(parser=parse_size, metavar="L", help="Layers.")] = 2,
    hidden_size: Annotated[
        int, typer.Option(parser=parse_size, metavar="H", help="Units in each layer.")
    ] = 128,
    batch_size: Annotated[
        int, typer.Option(parser=parse_size, metavar="B", help="Parallel streams.")
    ] = 50,
    seq_len: Annotated[
        int, typer.Option(parser=parse_size, metavar="T", help="Characters in a window.")
    ] = 50,
    threads: Annotated[
        int | None, typer.Option(parser=parse_size, metavar="N", show_default="as many as pay")
    ] = None,
    seconds: Annotated[
        float, typer.Option(parser=parse_duration, metavar="TIME", help="How long to measure.")
    ] = 10.0,
    as_json: JsonOption = False,
    color: ColorOption = Color.AUTO,
) -> None:
    """Measure how fast this machine trains and samples, with every engine it has."""
    from charrnn.cli.process import prepare_for_training

    model = ModelConfig(
        vocab_size=65, cell=cell, num_layers=num_layers, hidden_size=hidden_size, dropout=0.0
    )
    step = StepConfig(
        batch_size=batch_size,
        seq_len=seq_len,
        threads=training_threads(cell) if threads is None else threads,
    )
    prepare_for_training()
    from charrnn.training.benchmark import benchmark

    found = benchmark(model, step, seconds)
    rows = {f"{engine} {precision}": speed for (engine, precision), speed in found.training.items()}
    if as_json:
        print(json.dumps({"training": rows, "sampling": found.sampling, "threads": step.threads}))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("engine")
    first = next(iter(rows))
    for heading in ("chars/s", "ms/step", f"to {first}"):
        table.add_column(heading, justify="right")
    for name, speed in rows.items():
        step_ms = 1000 * batch_size * seq_len / speed
        table.add_row(name, f"{speed:,.0f}", f"{step_ms:.1f}", f"{speed / rows[first]:.2f}x")
    console = make_console(sys.stdout, color)
    console.print(
        f"{cell} {num_layers}x{hidden_size}, {batch_size} streams x {seq_len} characters, "
        f"{step.threads} threads, {platform.machine()}"
    )
    console.print(table)
    speeds = ", ".join(f"{name} {speed:,.0f}" for name, speed in found.sampling.items())
    console.print(f"sampling one stream: {speeds} chars/s")
