"""`charrnn bench`: how many characters this machine trains on and samples in a second."""

import json
import platform
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.arguments import parse_duration
from charrnn.cli.model_facts import architecture
from charrnn.cli.option_parameters import given, with_options
from charrnn.cli.terminal import Color, ColorOption, JsonOption, make_console, print_table
from charrnn.cpus import affordable_threads
from charrnn.errors import UsageError
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.engines import training_threads
from charrnn.plan.request import TrainingRequest
from charrnn.words import counted

if TYPE_CHECKING:
    from rich.console import Console

    from charrnn.training.benchmark import Benchmark

DEFAULTS: dict[str, Any] = {
    "num_layers": 2,
    "hidden_size": 128,
    "batch_size": 50,
    "seq_len": 50,
    "cell": "lstm",
}
"""Values of options that are not given: the sizes of char-rnn (Karpathy 2015)."""
VOCAB_SIZE = 65
"""Distinct characters of the text that is made up for the measurement."""


@with_options(
    ModelConfig,
    StepConfig,
    only=(*DEFAULTS, "threads"),
    defaults={name: str(value) for name, value in DEFAULTS.items()},
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

    if seconds <= 0:
        raise UsageError(f"--seconds {seconds:g}: must be above 0")
    request = TrainingRequest(**(DEFAULTS | given(options)))
    model = replace(request.model_config(VOCAB_SIZE), dropout=0.0)
    step = request.step_config(StepConfig(threads=training_threads(model.cell)))
    threads, note = affordable_threads(step.threads)
    step = replace(step, threads=threads)
    if note is not None:
        print(note, file=sys.stderr)
    prepare_for_training()
    from charrnn.training.benchmark import benchmark

    speeds = benchmark(model, step, seconds)
    if as_json:
        print(json.dumps(_record(speeds, step)))
    else:
        _print_speeds(make_console(sys.stdout, color), speeds, model, step)


def _record(speeds: "Benchmark", step: StepConfig) -> dict[str, Any]:
    """The characters per second and the threads that trained, for JSON."""
    return {
        "training": _speeds_by_engine(speeds),
        "sampling": speeds.sampling,
        "threads": step.threads,
    }


def _print_speeds(
    console: "Console", speeds: "Benchmark", model: ModelConfig, step: StepConfig
) -> None:
    """Print what was measured, a table of training speeds and a line of sampling speeds."""
    console.print(
        f"{architecture(model)}, {counted(step.batch_size, 'stream')} x "
        f"{counted(step.seq_len, 'character')}, {counted(step.threads, 'thread')}, "
        f"{platform.machine()}"
    )
    _print_training(console, _speeds_by_engine(speeds), step.batch_size * step.seq_len)
    sampling = ", ".join(
        f"{precision} {speed:,.0f}" for precision, speed in speeds.sampling.items()
    )
    console.print(f"sampling one stream: {sampling} chars/s")


def _print_training(console: "Console", speed_by_engine: dict[str, float], step_chars: int) -> None:
    """Print each engine's speed: characters a second, time of a step, relative to the first."""
    first = next(iter(speed_by_engine))
    numbers = ("chars/s", "ms/step", f"relative to {first}")
    rows = [
        (
            engine,
            f"{speed:,.0f}",
            f"{1000 * step_chars / speed:.1f}",
            f"{speed / speed_by_engine[first]:.2f}x",
        )
        for engine, speed in speed_by_engine.items()
    ]
    print_table(console, ("engine", *numbers), rows, right=numbers)


def _speeds_by_engine(speeds: "Benchmark") -> dict[str, float]:
    """Characters trained on per second, by a name such as `native fp32`."""
    return {
        f"{engine} {precision}": speed for (engine, precision), speed in speeds.training.items()
    }
