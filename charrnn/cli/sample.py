"""`charrnn sample`: text out, one character at a time, and nothing else on stdout."""

import sys
from typing import Annotated, Literal

import typer

from charrnn.cli.arguments import parse_number, parse_size, parse_text
from charrnn.cli.terminal import ModelArgument, Output, QuietOption


def sample(
    model: ModelArgument = None,
    temperature: Annotated[
        float,
        typer.Option(
            "--temp",
            "--temperature",
            parser=parse_number,
            metavar="T",
            help="Below 1 safer, above 1 wilder; 0 takes the likeliest.",
        ),
    ] = 1.0,
    length: Annotated[
        int,
        typer.Option(
            "--length", "-n", parser=parse_size, metavar="N", help="New characters; -1 for no end."
        ),
    ] = 1000,
    prime: Annotated[str, typer.Option("--prime", help="The text to go on from.")] = "",
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            parser=parse_size,
            metavar="N",
            help="The same seed gives the same text.",
            show_default="random",
        ),
    ] = None,
    unknown: Annotated[
        Literal["error", "skip", "replace"],
        typer.Option("--unknown", help="A character in the prime that the model has never seen."),
    ] = "error",
    quiet: QuietOption = False,
) -> None:
    """Write text in the style of a model.

    Without a prime the model starts as if after a newline. The prime itself is printed first.
    """
    from charrnn import api
    from charrnn.sampling.config import SamplingConfig

    prime = parse_text(prime)
    config = SamplingConfig(api.new_seed() if seed is None else seed, temperature, length)
    output = Output()
    loaded = api.load(model)
    vocabulary = loaded.vocabulary
    ids = loaded.generate_ids(prime, config, unknown)
    if not quiet:
        print(f"model {loaded.name}, seed {config.seed}", file=sys.stderr)
    output.write(prime.encode())
    for symbol in ids:
        output.write(vocabulary.decode_bytes([symbol]))
    if output.is_terminal:
        output.write(b"\n")
