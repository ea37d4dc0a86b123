"""`charrnn train`: any text in, a model out."""

import time
from typing import Annotated, Any, Literal

import typer

from charrnn.cli.arguments import CHOSEN, parse_duration, parse_number, parse_size
from charrnn.cli.optimizer_options import (
    AlphaOption,
    ClipNormOption,
    ClipValueOption,
    LrDecayAfterOption,
    LrDecayOption,
    LrOption,
    MomentumOption,
    OptimizerOption,
    WarmupStepsOption,
    WeightDecayOption,
)
from charrnn.cli.terminal import Color, ColorOption, QuietOption
from charrnn.cli.text_options import (
    TEXT,
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
from charrnn.model.cells import CellName
from charrnn.model.config import ModelConfig
from charrnn.plan.config import Device, RunConfig, StepConfig
from charrnn.plan.engines import EngineName
from charrnn.plan.presets import PRESETS, PresetName

STOPPING = "When to stop (--budget, --steps or --epochs; 3m if none)"
RUN = "The run"
KNOWN = ", ".join(f"{name} ({preset.about})" for name, preset in PRESETS.items())


def train(
    context: typer.Context,
    corpus: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CORPUS...",
            help="Files (.gz, .xz, .zst too), folders, patterns, - (stdin), stdlib: Python's own "
            "source, or a name of `charrnn corpus list`.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The run's name; by default the text's.", rich_help_panel=RUN),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Go on with a run that was stopped.", rich_help_panel=RUN
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Write over a run of that --name.", rich_help_panel=RUN),
    ] = False,
    budget: Annotated[
        float | None,
        typer.Option(
            parser=parse_duration,
            metavar="TIME",
            help="Wall time of the whole command: 90s, 5m, 2h.",
            rich_help_panel=STOPPING,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            parser=parse_size, metavar="N", help="Optimizer steps.", rich_help_panel=STOPPING
        ),
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="N",
            help="Readings of the training text.",
            rich_help_panel=STOPPING,
        ),
    ] = None,
    preset: Annotated[
        PresetName | None,
        typer.Option(
            metavar="NAME",
            help=f"Begin with the options of a known net: {KNOWN}.",
            show_default=False,
            rich_help_panel=MODEL,
        ),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Start from a model: go on learning, from another text.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    cell: Annotated[
        CellName | None,
        typer.Option(
            help="The recurrence. gru resets after its product, as cuDNN does; gru-cho before it.",
            show_default=str(ModelConfig.cell),
            rich_help_panel=MODEL,
        ),
    ] = None,
    num_layers: NumLayersOption = None,
    hidden_size: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="H",
            help="Units in each layer.",
            show_default=CHOSEN,
            rich_help_panel=MODEL,
        ),
    ] = None,
    embedding_size: EmbeddingSizeOption = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="P",
            help="Units dropped between layers and on the output.",
            show_default=CHOSEN,
            rich_help_panel=MODEL,
        ),
    ] = None,
    weight_drop: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="P",
            help="Recurrent weights dropped for a window.",
            show_default=CHOSEN,
            rich_help_panel=MODEL,
        ),
    ] = None,
    batch_size: BatchSizeOption = None,
    seq_len: SeqLenOption = None,
    reset_prob: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="P",
            help="Chance that a stream begins a window with an empty state.",
            show_default=f"{StepConfig.reset_prob}; 1 for irnn",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    optimizer: OptimizerOption = None,
    lr: LrOption = None,
    warmup_steps: WarmupStepsOption = None,
    lr_decay: LrDecayOption = None,
    lr_decay_after: LrDecayAfterOption = None,
    alpha: AlphaOption = None,
    momentum: MomentumOption = None,
    weight_decay: WeightDecayOption = None,
    clip_norm: ClipNormOption = None,
    clip_value: ClipValueOption = None,
    seed: SeedOption = None,
    init_range: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="X",
            help="Every parameter begins in U(-X, X).",
            show_default="by layer",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    eval_every: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="N",
            help="Steps between evaluations.",
            show_default="a tenth of the run",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    eval_chars: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="N",
            help="Characters that each reads, about.",
            show_default="3 % of the time",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="N",
            help="Evaluations without a better model before training stops; 0: never.",
            show_default=str(RunConfig.patience),
            rich_help_panel=STOPPING,
        ),
    ] = None,
    save_every: Annotated[
        str | None,
        typer.Option(
            metavar="TIME|STEPS",
            help="Between saves: 30s, 5m, 2h, or steps; each evaluation saves, too.",
            show_default=RunConfig.save_every,
            rich_help_panel=RUN,
        ),
    ] = None,
    val_frac: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="X",
            help="Validation: this much of the text's end.",
            show_default="0.1",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    test_frac: Annotated[
        float | None,
        typer.Option(
            parser=parse_number,
            metavar="X",
            help="Test: the very end.",
            show_default="0",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    split: Annotated[
        Literal["tail", "streams"] | None,
        typer.Option(
            help="Hold back the end of the text, or, as char-rnn does, of each stream of a batch.",
            show_default="tail",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    records: Annotated[
        Literal["line"] | None,
        typer.Option(
            help="line: each line is a text of its own, such as a name.", rich_help_panel=TEXT
        ),
    ] = None,
    as_bytes: AsBytesOption = False,
    encoding: EncodingOption = None,
    normalize: NormalizeOption = None,
    min_count: MinCountOption = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(
            help="What runs the recurrence.", show_default="the fastest", rich_help_panel=RUN
        ),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        typer.Option(help="Of matrix products; auto takes the faster.", rich_help_panel=RUN),
    ] = "auto",
    device: Annotated[
        Device | None,
        typer.Option(show_default="cuda if there is one", rich_help_panel=RUN),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            parser=parse_size, metavar="N", show_default="as many as pay", rich_help_panel=RUN
        ),
    ] = None,
    quiet: QuietOption = False,
    color: ColorOption = Color.AUTO,
) -> None:
    """Learn from text; the best model is kept in checkpoints/NAME/model.safetensors.

    With --resume, the plan of the stopped run decides everything, and no other option applies.
    """
    from charrnn import api
    from charrnn.cli.interrupts import EXIT_BASE, Interrupts
    from charrnn.cli.process import prepare_for_training
    from charrnn.cli.progress import TrainingDisplay
    from charrnn.cli.reading import announce_terminal
    from charrnn.runs.events import Event, RunStarted, StopRequest

    if resume is not None:
        _refuse_others_with_resume(context)
    if not quiet:
        announce_terminal(corpus or ())

    prepare_for_training()
    stop = StopRequest()
    display = TrainingDisplay(color)
    with Interrupts(stop) as interrupts:

        def on_event(event: Event) -> None:
            if isinstance(event, RunStarted):
                interrupts.install()
            if not quiet:
                display.show(event)

        def elapsed() -> float:
            started: float = context.obj
            return time.monotonic() - started

        try:
            if resume is not None:
                api.resume(resume, on_event=on_event, stop=stop, elapsed=elapsed)
            else:
                api.train(
                    corpus or (),
                    name=name,
                    replace=replace,
                    on_event=on_event,
                    stop=stop,
                    elapsed=elapsed,
                    **_request(context),
                )
        finally:
            display.close()
    if stop.signal is not None:
        raise typer.Exit(EXIT_BASE + stop.signal)


def _request(context: typer.Context) -> dict[str, Any]:
    """The options that a TrainingRequest has a field for, by its names."""
    from charrnn.plan.request import TrainingRequest

    given = {name: context.params[name] for name in TrainingRequest.__dataclass_fields__}
    return {name: None if value == "auto" else value for name, value in given.items()}


def _refuse_others_with_resume(context: typer.Context) -> None:
    """Raise UsageError if anything was given that the resumed run's own plan decides."""
    from charrnn.errors import UsageError

    for parameter, value in context.params.items():
        source = context.get_parameter_source(parameter)
        given = source is not None and source.name == "COMMANDLINE" and value
        if given and parameter not in ("resume", "quiet", "color"):
            raise UsageError(
                f"--resume goes on with the run's own plan: leave out {parameter.replace('_', '-')}"
            )
