"""The options of `charrnn train` that say how gradients become steps."""

from typing import Annotated

import typer

from charrnn.cli.arguments import CHOSEN, parse_number, parse_size
from charrnn.plan.config import OptimizerConfig, OptimizerName

OPTIMIZER = "Optimizer"

OptimizerOption = Annotated[
    OptimizerName | None,
    typer.Option(
        help="How gradients become steps.",
        show_default=str(OptimizerConfig.optimizer),
        rich_help_panel=OPTIMIZER,
    ),
]
LrOption = Annotated[
    float | None,
    typer.Option(
        parser=parse_number,
        metavar="X",
        help="Learning rate.",
        show_default=CHOSEN,
        rich_help_panel=OPTIMIZER,
    ),
]
WarmupStepsOption = Annotated[
    int | None,
    typer.Option(
        parser=parse_size,
        metavar="N",
        help="Steps until it is reached.",
        show_default=str(OptimizerConfig.warmup_steps),
        rich_help_panel=OPTIMIZER,
    ),
]
LrDecayOption = Annotated[
    float | None,
    typer.Option(
        parser=parse_number,
        metavar="X",
        help="Instead of a cosine, the rate times X after each epoch from --lr-decay-after on.",
        show_default="a cosine",
        rich_help_panel=OPTIMIZER,
    ),
]
LrDecayAfterOption = Annotated[
    int | None,
    typer.Option(
        parser=parse_size,
        metavar="N",
        help="The first epoch after which it falls.",
        show_default=str(OptimizerConfig.lr_decay_after),
        rich_help_panel=OPTIMIZER,
    ),
]
AlphaOption = Annotated[
    float | None,
    typer.Option(
        parser=parse_number,
        metavar="X",
        help="Decay of the mean of squares (RMSprop).",
        show_default=str(OptimizerConfig.alpha),
        rich_help_panel=OPTIMIZER,
    ),
]
MomentumOption = Annotated[
    float | None,
    typer.Option(
        parser=parse_number,
        metavar="X",
        help="Of the step before (SGD).",
        show_default=str(OptimizerConfig.momentum),
        rich_help_panel=OPTIMIZER,
    ),
]
WeightDecayOption = Annotated[
    float | None,
    typer.Option(
        parser=parse_number,
        metavar="X",
        help="Of matrices.",
        show_default=CHOSEN,
        rich_help_panel=OPTIMIZER,
    ),
]
ClipNormOption = Annotated[
    float | None,
    typer.Option(
        parser=parse_number,
        metavar="X",
        help="Largest gradient norm; 0: any.",
        show_default=str(OptimizerConfig.clip_norm),
        rich_help_panel=OPTIMIZER,
    ),
]
ClipValueOption = Annotated[
    float | None,
    typer.Option(
        parser=parse_number,
        metavar="X",
        help="Largest element of a gradient; 0: any.",
        show_default="0",
        rich_help_panel=OPTIMIZER,
    ),
]
