"""`charrnn train`: any text in, a model out."""

import time
from contextlib import closing
from typing import Annotated, Any

import typer

from charrnn.cli.option_parameters import given, with_options
from charrnn.cli.terminal import Color, ColorOption, CorpusArgument, QuietOption, VerboseOption
from charrnn.errors import UsageError
from charrnn.options import flag
from charrnn.plan.config import RUN
from charrnn.plan.request import TRAINING_CONFIGS

LIMITS = ("budget", "steps", "epochs")
"""Names of the parameters that say for how long a resumed run learns on."""
ALLOWED_WITH_RESUME = ("resume", "moved_to", "quiet", "verbose", "color", *LIMITS)
"""Names of the parameters that a resumed run leaves open; its plan decides all others."""


@with_options(*TRAINING_CONFIGS)
def train(
    context: typer.Context,
    corpus: CorpusArgument = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the run, which is that of its folder in checkpoints/.",
            show_default="the text's",
            rich_help_panel=RUN,
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Go on with a run that was stopped; with --budget, --steps or --epochs, learn on "
            "for that much longer, also if it had finished.",
            rich_help_panel=RUN,
        ),
    ] = None,
    moved_to: Annotated[
        list[str] | None,
        typer.Option(
            "--corpus",
            metavar="CORPUS",
            help="Where the text of the resumed run is now, if it has moved; may be given again.",
            show_default=False,
            rich_help_panel=RUN,
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Write over a run of that --name.", rich_help_panel=RUN),
    ] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = Color.AUTO,
    **options: Any,
) -> None:
    """Learn from text; the best model is kept in checkpoints/NAME/model.safetensors.

    With --resume, the plan of that run decides everything but for how long it goes on.
    """
    from charrnn import api
    from charrnn.cli.interrupts import exit_if_stopped, stoppable
    from charrnn.cli.process import prepare_for_training
    from charrnn.cli.progress import TrainingDisplay
    from charrnn.cli.reading import announce_terminal
    from charrnn.runs.events import StopRequest

    def elapsed() -> float:
        """Seconds since the process began, which a budget covers from its first moment on."""
        started: float = context.obj
        return time.monotonic() - started

    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict each other: leave one of them out")
    if resume is not None:
        _refuse_others_with_resume(context)
    elif moved_to:
        raise UsageError(
            "--corpus says where the text of a resumed run is now: name a text to learn from "
            "without it"
        )
    if not quiet:
        announce_terminal(corpus or ())
    prepare_for_training()
    stop = StopRequest()
    with (
        closing(TrainingDisplay(color, verbose=verbose)) as display,
        stoppable(stop, None if quiet else display.show) as on_event,
    ):
        if resume is not None:
            limits = {name: value for name, value in given(options).items() if name in LIMITS}
            api.resume(
                resume,
                corpus=moved_to or None,
                on_event=on_event,
                stop=stop,
                elapsed=elapsed,
                **limits,
            )
        else:
            api.train(
                corpus or (),
                name=name,
                replace=replace,
                on_event=on_event,
                stop=stop,
                elapsed=elapsed,
                **given(options),
            )
    exit_if_stopped(stop)


def _refuse_others_with_resume(context: typer.Context) -> None:
    """Raise UsageError if anything was given that the resumed run's own plan decides."""
    for parameter in context.params:
        source = context.get_parameter_source(parameter)
        if (
            source is not None
            and source.name == "COMMANDLINE"
            and parameter not in ALLOWED_WITH_RESUME
        ):
            raise UsageError(
                f"--resume goes on with the run's own plan: leave out {_spelling(parameter)}"
            )


def _spelling(parameter: str) -> str:
    """How a parameter of the command is written on the command line."""
    spellings = {"corpus": "the text", "as_bytes": "--bytes"}
    return spellings.get(parameter, flag(parameter))
