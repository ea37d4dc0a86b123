"""The options of a net and of its training that `charrnn train` and `charrnn compare` share."""

from typing import Annotated

import typer

from charrnn.cli.arguments import parse_size
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig

MODEL = "Model"
TRAINING = "Training"

NumLayersOption = Annotated[
    int | None,
    typer.Option(
        parser=parse_size,
        metavar="L",
        help="Layers.",
        show_default=str(ModelConfig.num_layers),
        rich_help_panel=MODEL,
    ),
]
EmbeddingSizeOption = Annotated[
    int | None,
    typer.Option(
        parser=parse_size,
        metavar="E",
        help="Width of a linear embedding of the one-hot input; 0 for none.",
        show_default=str(ModelConfig.embedding_size),
        rich_help_panel=MODEL,
    ),
]
BatchSizeOption = Annotated[
    int | None,
    typer.Option(
        parser=parse_size,
        metavar="B",
        help="Parallel streams.",
        show_default=str(StepConfig.batch_size),
        rich_help_panel=TRAINING,
    ),
]
SeqLenOption = Annotated[
    int | None,
    typer.Option(
        parser=parse_size,
        metavar="T",
        help="Characters that the gradient reaches back.",
        show_default=str(StepConfig.seq_len),
        rich_help_panel=TRAINING,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        parser=parse_size,
        metavar="N",
        help="Of weights and dropout.",
        show_default=str(StepConfig.seed),
        rich_help_panel=TRAINING,
    ),
]
