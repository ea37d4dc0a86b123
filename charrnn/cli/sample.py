"""`charrnn sample`: text out, one character at a time, and nothing else on stdout."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charrnn.cli.arguments import parse_number, parse_size, parse_text
from charrnn.cli.terminal import ModelArgument, Output, QuietOption

if TYPE_CHECKING:
    from charrnn.sampling.generator import Blocks


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
    top_k: Annotated[
        int,
        typer.Option(
            "--top-k", parser=parse_size, metavar="K", help="Only the K likeliest; 0 for all."
        ),
    ] = 0,
    top_p: Annotated[
        float,
        typer.Option(
            "--top-p",
            parser=parse_number,
            metavar="P",
            help="Only the likeliest that together have probability P; 1 for all.",
        ),
    ] = 1.0,
    min_p: Annotated[
        float,
        typer.Option(
            "--min-p",
            parser=parse_number,
            metavar="P",
            help="Only those at least P times as likely as the likeliest; 0 for all.",
        ),
    ] = 0.0,
    length: Annotated[
        int,
        typer.Option(
            "--length", "-n", parser=parse_size, metavar="N", help="New characters; -1 for no end."
        ),
    ] = 1000,
    prime: Annotated[str, typer.Option("--prime", help="The text to go on from.")] = "",
    samples: Annotated[
        int,
        typer.Option("--samples", parser=parse_size, metavar="N", help="Texts, written at once."),
    ] = 1,
    separator: Annotated[
        str, typer.Option("--separator", help="Between two texts.", show_default="an empty line")
    ] = "\n\n",
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
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "int8"],
        typer.Option("--precision", help="Of the weights; auto: the fastest that costs nothing."),
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option("--threads", parser=parse_size, metavar="N", show_default="by size"),
    ] = None,
    unknown: Annotated[
        Literal["error", "skip", "replace"],
        typer.Option("--unknown", help="A character in the prime that the model has never seen."),
    ] = "error",
    quiet: QuietOption = False,
) -> None:
    """Write text in the style of a model.

    Without a prime the model starts as if after a newline. The prime itself is printed first.

    Filters apply in the order --top-k, --top-p, --min-p, each to what the one before it left; the
    temperature comes last.
    """
    from charrnn import trained
    from charrnn.sampling.config import SamplingConfig

    prime, separator = parse_text(prime), parse_text(separator)
    if threads is not None and threads < 1:
        raise typer.BadParameter(f"--threads {threads}: must be 1 or more")
    config = SamplingConfig(
        seed=trained.new_seed() if seed is None else seed,
        temperature=temperature,
        length=length,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        samples=samples,
    )
    output = Output()
    loaded = trained.load(model)
    vocabulary = loaded.vocabulary
    blocks = loaded.write(prime, config, unknown, precision, threads)
    if not quiet:
        known = loaded.precision(precision)
        print(f"model {loaded.name}, {known}, seed {config.seed}", file=sys.stderr)
    output.write(prime.encode())
    rest: list[Blocks] = []
    for block in blocks:  # (n, S): the first text is shown while all are written
        output.write(vocabulary.decode_bytes(_symbols(block[:, 0])))
        if config.samples > 1:
            rest.append(block[:, 1:])
    for text in range(config.samples - 1):
        output.write((separator + prime).encode())
        for block in rest:
            output.write(vocabulary.decode_bytes(_symbols(block[:, text])))
    if output.is_terminal:
        output.write(b"\n")


def _symbols(column: "Blocks") -> "Blocks":
    """Without the -1 that stand where a text has ended."""
    return column[column >= 0]
