"""`charrnn bench`: this machine's characters per second, training and sampling."""

import json
import platform
import sys
from dataclasses import replace
from typing import Annotated, Any

import typer

from charrnn.cli.arguments import parse_duration
from charrnn.cli.option_parameters import given, with_options
from charrnn.cli.terminal import Color, ColorOption, JsonOption, make_console
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.engines import training_threads
from charrnn.plan.request import TrainingRequest

SIZES: dict[str, Any] = {
    "num_layers": 2,
    "hidden_size": 128,
    "batch_size": 50,
    "seq_len": 50,
    "cell": "lstm",
}
"""What is measured unless something else is asked: the size that most char-rnns have."""


@with_options(
    ModelConfig,
    StepConfig,
    only=(*SIZES, "threads"),
    defaults={name: str(value) for name, value in SIZES.items()},
)
def bench(
    seconds: Annotated[
        float,
        typer.Option(
            parser=parse_duration, metavar="TIME", help="Time that all measurements take together."
        ),
    ] = 10.0,
    as_json: JsonOption = False,
    color: ColorOption = Color.AUTO,
    **options: Any,
) -> None:
    """Measure how fast this machine trains and samples, with every engine it has."""
    from charrnn.cli.process import prepare_for_training

    asked = TrainingRequest(**(SIZES | given(options)))
    model = replace(asked.model_config(vocab_size=65), dropout=0.0)
    step = asked.step_config(StepConfig(threads=training_threads(model.cell)))
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
        step_ms = 1000 * step.batch_size * step.seq_len / speed
        table.add_row(name, f"{speed:,.0f}", f"{step_ms:.1f}", f"{speed / rows[first]:.2f}x")
    console = make_console(sys.stdout, color)
    console.print(
        f"{model.cell} {model.num_layers}x{model.hidden_size}, "
        f"{step.batch_size} streams x {step.seq_len} characters, "
        f"{step.threads} threads, {platform.machine()}"
    )
    console.print(table)
    speeds = ", ".join(f"{name} {speed:,.0f}" for name, speed in found.sampling.items())
    console.print(f"sampling one stream: {speeds} chars/s")
