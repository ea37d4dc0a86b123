"""`charrnn compare`: train several cells on the same text, and compare what they learn."""

import json
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.arguments import format_count, parse_size
from charrnn.cli.option_parameters import given, with_options
from charrnn.cli.terminal import Color, ColorOption, CorpusArgument, QuietOption, make_console
from charrnn.comparison.request import NOT_OF_COMPARISONS
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
"""Heading in help of the options that say what is made of the result."""
DEFAULTS_IN_WORDS = {
    **{name: f"{value}" for name, value in asdict(SharedDefaults()).items()},
    "budget": f"{BUDGET_PER_CELL_S:g}s for each cell",
    "hidden_size": "by --parameters",
    "eval_every": "a twentieth of the run",
    "eval_chars": "what the slowest cell has time for",
    "engine": "the fastest that runs all of them",
}
"""What help says of the options whose defaults are not those of `charrnn train`, by name."""


@with_options(*TRAINING_CONFIGS, leave_out=NOT_OF_COMPARISONS, defaults=DEFAULTS_IN_WORDS)
def compare(
    corpus: CorpusArgument = None,
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
            help="Parameters of each cell's model, about; its hidden size follows from them.",
            show_default=format_count(PARAMETERS_PER_CELL),
            rich_help_panel=MODEL,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Name that the names of the runs begin with: they are NAME-CELL.",
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
            help="File for a picture of the learning curves, .png or .svg; needs matplotlib.",
            show_default="checkpoints/NAME.png",
            rich_help_panel=RESULT,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print JSON, with every evaluation of every cell, instead of a table.",
            rich_help_panel=RESULT,
        ),
    ] = False,
    quiet: QuietOption = False,
    color: ColorOption = Color.AUTO,
    **options: Any,
) -> None:
    """Train several cells on the same text, all else being equal, and compare what they learn.

    All have about the same number of parameters, the same split, seed, engine
    and precision (fp32). Each is an ordinary run that can be sampled and resumed.
    stdout gets a table; on a terminal, the learning curves too. A cell that was
    slowed by something else on the machine is marked.
    """
    from charrnn import api
    from charrnn.cli.interrupts import exit_if_stopped, stoppable
    from charrnn.cli.process import prepare_for_training
    from charrnn.cli.progress import ComparisonDisplay
    from charrnn.cli.reading import announce_terminal
    from charrnn.comparison.picture import check_picture_path
    from charrnn.runs.events import StopRequest

    picture_path = None if plot is None else Path(plot)
    if picture_path is not None:
        check_picture_path(picture_path)
    if not quiet:
        announce_terminal(corpus or ())
    prepare_for_training()
    stop = StopRequest()
    with (
        closing(ComparisonDisplay(color)) as display,
        stoppable(stop, None if quiet else display.show) as on_event,
    ):
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
    _print(comparison, color, as_json=as_json)
    if comparison.curves:
        _write_picture(comparison, picture_path, quiet=quiet)
    if comparison.not_trained and not quiet:
        print(f"not trained: {', '.join(comparison.not_trained)}", file=sys.stderr)
    exit_if_stopped(stop)
    _raise_failures(comparison)


def _print(comparison: "ComparisonResult", color: Color, *, as_json: bool) -> None:
    """Print the result on stdout: as JSON, or as a table and on a terminal as curves."""
    from charrnn.cli.comparison_table import print_result, record

    if as_json:
        print(json.dumps(record(comparison)))
    else:
        print_result(make_console(sys.stdout, color), comparison)


def _write_picture(comparison: "ComparisonResult", path: Path | None, *, quiet: bool) -> None:
    """Draw the curves to `path`; without one, to its default place if matplotlib is installed."""
    from charrnn.cli.comparison_table import heading, labelled_curves
    from charrnn.comparison import picture
    from charrnn.files.run_folder import CHECKPOINTS

    if path is None and not picture.has_matplotlib():
        if not quiet:
            print(f"no picture: {picture.how_to_get_matplotlib()}", file=sys.stderr)
        return
    path = path or CHECKPOINTS / f"{comparison.name}.png"
    picture.write_picture(labelled_curves(comparison), heading(comparison), path)
    if not quiet:
        print(f"curves: {path}", file=sys.stderr)


def _raise_failures(comparison: "ComparisonResult") -> None:
    """Raise CharRNNError, naming each cell that failed, if any has."""
    failures = [
        f"{result.cell} failed: {result.error}" for result in comparison.results if result.error
    ]
    if failures:
        raise CharRNNError("; ".join(failures))
