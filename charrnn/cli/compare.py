"""`charrnn compare`: cells side by side, on the same text and the same terms."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from charrnn.cli.training_options import (
    MODEL,
    TRAINING,
    BatchSizeOption,
    EmbeddingSizeOption,
    NumLayersOption,
    SeedOption,
    SeqLenOption,
)
from charrnn.comparison.shared_defaults import BUDGET_S, PARAMETERS, Terms
from charrnn.errors import CharRNNError
from charrnn.model.cells import CELLS
from charrnn.plan.config import Device
from charrnn.plan.engines import EngineName

if TYPE_CHECKING:
    from charrnn.comparison.result import Comparison

STOPPING = "When each stops (--budget, --steps or --epochs)"
RUNS = "The runs"
RESULT = "The result"


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
    ] = ",".join(CELLS),
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
            rich_help_panel=MODEL,
        ),
    ] = None,
    hidden_size: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="H",
            help="One hidden size for all instead.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    num_layers: NumLayersOption = None,
    embedding_size: EmbeddingSizeOption = None,
    lr: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="X",
            help="Highest learning rate.",
            show_default=str(Terms.lr),
            rich_help_panel=TRAINING,
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="P",
            help="Units dropped between layers and on the output.",
            show_default=str(Terms.dropout),
            rich_help_panel=TRAINING,
        ),
    ] = None,
    batch_size: BatchSizeOption = None,
    seq_len: SeqLenOption = None,
    seed: SeedOption = None,
    eval_chars: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="N",
            help="Characters that each evaluation reads, about.",
            show_default="what the slowest cell has time for",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(
            help="What runs the recurrence.",
            show_default="the fastest that runs all of them",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    device: Annotated[
        Device | None,
        typer.Option(show_default="cuda if there is one", rich_help_panel=TRAINING),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            parser=parse_size, metavar="N", show_default="all CPUs", rich_help_panel=TRAINING
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
    from charrnn import api
    from charrnn.cli.comparison_table import print_result, record
    from charrnn.cli.interrupts import EXIT_BASE, Interrupts
    from charrnn.cli.process import prepare_for_training
    from charrnn.cli.progress import ComparisonDisplay
    from charrnn.cli.reading import announce_terminal
    from charrnn.comparison import picture
    from charrnn.plan.request import TrainingRequest
    from charrnn.runs.events import Event, RunStarted, StopRequest

    if plot is not None:
        picture.check_target(Path(plot))
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


def _draw(comparison: "Comparison", path: Path | None, *, quiet: bool) -> None:
    """Write the picture, to where it lies by default if there is something to draw it with."""
    from charrnn.cli.comparison_table import heading, labelled
    from charrnn.comparison import picture
    from charrnn.files.run_folder import CHECKPOINTS

    if path is None and not picture.is_available():
        if not quiet:
            print(f"no picture: {picture.MISSING}", file=sys.stderr)
        return
    path = path or CHECKPOINTS / f"{comparison.name}.png"
    picture.draw(labelled(comparison), heading(comparison), path)
    if not quiet:
        print(f"curves: {path}", file=sys.stderr)
