"""`charrnn compare`: cells side by side, on the same text and the same terms."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.arguments import format_count, parse_size
from charrnn.cli.option_parameters import given, with_options
from charrnn.cli.terminal import Color, ColorOption, QuietOption, make_console
from charrnn.comparison.shared_defaults import (
    BUDGET_PER_CELL_S,
    PARAMETERS_PER_CELL,
    SharedDefaults,
)
from charrnn.errors import CharRNNError
from charrnn.model.cells import CELLS
from charrnn.model.config import MODEL
from charrnn.plan.config import RUN
from charrnn.plan.request import TRAINING_CONFIGS

if TYPE_CHECKING:
    from charrnn.comparison.result import ComparisonResult

RESULT = "The result"
DEFAULTS = {
    **{name: f"{value}" for name, value in asdict(SharedDefaults()).items()},
    "budget": f"{BUDGET_PER_CELL_S:g}s for each cell",
    "hidden_size": "by --parameters",
    "eval_every": "a twentieth of the run",
    "eval_chars": "what the slowest cell has time for",
    "engine": "the fastest that runs all of them",
}
"""Defaults that this command has in the place of those of `charrnn train`, in words."""


@with_options(*TRAINING_CONFIGS, leave_out=("cell", "init_from", "preset"), defaults=DEFAULTS)
def compare(
    corpus: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CORPUS...", help="The same that `charrnn train` takes.", show_default=False
        ),
    ] = None,
    cells: Annotated[
        str,
        typer.Option(
            metavar="CELL,CELL,...",
            help="Cells to compare, in the order of their training.",
            rich_help_panel=MODEL,
        ),
    ] = ",".join(CELLS),
    parameters: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="N",
            help="Parameters of each cell, which gets the hidden size that comes nearest to them.",
            show_default=format_count(PARAMETERS_PER_CELL),
            rich_help_panel=MODEL,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="The runs are called NAME-CELL.",
            show_default="the text's, and -compare",
            rich_help_panel=RUN,
        ),
    ] = None,
    replace_runs: Annotated[
        bool,
        typer.Option("--replace", help="Write over runs of that --name.", rich_help_panel=RUN),
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
    **options: Any,
) -> None:
    """Train several cells on the same text, on the same terms, and compare what they learn.

    All have about the same number of parameters, the same split, seed, engine
    and precision (fp32). Each is an ordinary run that can be sampled and resumed.
    stdout gets a table; on a terminal, the curves too.
    """
    from charrnn import api
    from charrnn.cli.comparison_table import print_result, record
    from charrnn.cli.interrupts import EXIT_BASE, Interrupts
    from charrnn.cli.process import prepare_for_training
    from charrnn.cli.progress import ComparisonDisplay
    from charrnn.cli.reading import announce_terminal
    from charrnn.comparison import picture
    from charrnn.runs.events import Event, RunStarted, StopRequest

    if plot is not None:
        picture.check_picture_path(Path(plot))
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

        try:
            comparison = api.compare(
                corpus or (),
                cells=[cell.strip() for cell in cells.split(",") if cell.strip()],
                parameters=parameters,
                name=name,
                replace=replace_runs,
                on_event=on_event,
                stop=stop,
                **given(options),
            )
        finally:
            display.close()
    if as_json:
        print(json.dumps(record(comparison)))
    else:
        print_result(make_console(sys.stdout, color), comparison)
    if comparison.curves:
        _draw(comparison, None if plot is None else Path(plot), quiet=quiet)
    if comparison.not_trained and not quiet:
        print(f"not trained: {', '.join(comparison.not_trained)}", file=sys.stderr)
    if stop.signal is not None:
        raise typer.Exit(EXIT_BASE + stop.signal)
    failed = [f"{each.cell} failed: {each.error}" for each in comparison.results if each.error]
    if failed:
        raise CharRNNError("; ".join(failed))


def _draw(comparison: "ComparisonResult", path: Path | None, *, quiet: bool) -> None:
    """Write the picture, to where it lies by default if there is something to draw it with."""
    from charrnn.cli.comparison_table import heading, labelled
    from charrnn.comparison import picture
    from charrnn.files.run_folder import CHECKPOINTS

    if path is None and not picture.has_matplotlib():
        if not quiet:
            print(f"no picture: {picture.NO_MATPLOTLIB}", file=sys.stderr)
        return
    path = path or CHECKPOINTS / f"{comparison.name}.png"
    picture.write_picture(labelled(comparison), heading(comparison), path)
    if not quiet:
        print(f"curves: {path}", file=sys.stderr)
