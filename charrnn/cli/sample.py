"""`charrnn sample`: write text in the style of a model; nothing else goes to stdout."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn.cli.arguments import parse_size, parse_text
from charrnn.cli.escapes import unescape
from charrnn.cli.option_parameters import given, with_options
from charrnn.cli.prime_file import read_prime
from charrnn.cli.printing import print_json, print_texts
from charrnn.cli.terminal import ModelArgument, Output, QuietOption
from charrnn.cpus import affordable_threads
from charrnn.errors import CharRNNError, UsageError
from charrnn.sampling.config import LENGTH, TEXTS, SamplingConfig

if TYPE_CHECKING:
    from charrnn.corpus.vocabulary import Unknown, Vocabulary
    from charrnn.inference.network import Network
    from charrnn.model.precision import PrecisionChoice
    from charrnn.sampling.place import Place
    from charrnn.sampling.texts import Texts
    from charrnn.sampling.trained_model import Model

# Headings of the options in help, beside those in sampling/config.py.
BEGINNING = "Where a text begins"
OUTPUT = "Where texts go"
MODEL = "How the model runs"

ENDS = {"length", "stop", "lines", "match"}
"""Options that say where a text ends; without any of them, an answer at the prompt of -i is a
paragraph."""


@with_options(SamplingConfig)
def sample(
    context: typer.Context,
    model: ModelArgument = None,
    prime: Annotated[
        str,
        typer.Option(
            parser=parse_text, metavar="TEXT", help="Text to go on from.", rich_help_panel=BEGINNING
        ),
    ] = "",
    prime_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="File with the text to go on from; - for stdin.",
            show_default=False,
            rich_help_panel=BEGINNING,
        ),
    ] = None,
    load_state: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="File of --save-state: the text goes on from the place that it keeps.",
            show_default=False,
            rich_help_panel=BEGINNING,
        ),
    ] = None,
    unknown: Annotated[
        Literal["error", "skip", "replace"],
        typer.Option(
            help="What becomes of a character in the prime that the model has never seen.",
            rich_help_panel=BEGINNING,
        ),
    ] = "error",
    escape: Annotated[
        bool,
        typer.Option(
            "--escape",
            help=r"Read \n, \t, \\, \xNN and \uNNNN in --prime and --stop.",
            rich_help_panel=BEGINNING,
        ),
    ] = False,
    no_prime: Annotated[
        bool,
        typer.Option(
            "--no-prime", help="Print new text only, not the prime.", rich_help_panel=OUTPUT
        ),
    ] = False,
    separator: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What stands between two texts of --samples.",
            show_default="an empty line",
            rich_help_panel=TEXTS,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print each text as a JSON object on a line: text, seed, bits_per_char, ended.",
            rich_help_panel=TEXTS,
        ),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write to, which is replaced when the text is complete; - for stdout.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    save_state: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="File that keeps the place where the text ends, for --load-state.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "int8"],
        typer.Option(
            help="Number type of the weights; auto takes the fastest that predicts as well as "
            "fp32, or nearly.",
            rich_help_panel=MODEL,
        ),
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="N",
            help="CPU threads that the model uses; the text does not depend on them.",
            show_default="by the model's size",
            rich_help_panel=MODEL,
        ),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive",
            "-i",
            help="Write in turn with the model at a prompt, a paragraph at a time.",
        ),
    ] = False,
    quiet: QuietOption = False,
    **options: Any,
) -> None:
    """Write text in the style of a model.

    Without a prime the model starts as if after a newline. The prime itself is
    printed first.

    Filters apply in the order --forbid and --match, --top-k, --top-p, --min-p,
    each to what the one before it left; the temperature comes last.

    With --match the text goes on while the expression lets it: it ends where
    nothing can follow, before a --stop, after --lines or at --length, and only
    where what is written matches.
    """
    from charrnn.files.atomic import check_replaceable
    from charrnn.sampling import saved_state, trained_model
    from charrnn.sampling.texts import Texts

    _refuse_contradictions(context.params)
    if escape:
        prime = unescape("--prime", prime)
    config = _make_config(given(options), escape=escape, seed=trained_model.new_seed())
    _refuse_endless_texts(config, context.params)
    stdout = Output() if output in (None, "-") else None
    if save_state is not None:
        check_replaceable(Path(save_state))
    loaded = trained_model.load(model)
    text = prime if prime_file is None else read_prime(prime_file, loaded.vocabulary.is_bytes)
    threads_note = None if threads is None else affordable_threads(threads)[1]
    if threads_note is not None and not quiet:
        print(threads_note, file=sys.stderr)
    network = loaded.network(precision, threads)
    place = _place_after(text, loaded, network, unknown, load_state)
    # Made before anything is printed: this refuses options that the model's vocabulary cannot obey.
    texts = Texts(network, loaded.vocabulary, place, config, keep=as_json or save_state is not None)
    if not quiet:
        _announce(loaded, precision, config.seed, interactive=interactive)
    if interactive:
        from charrnn.cli.prompt import Prompt

        by_paragraph = not given(options).keys() & ENDS
        prompt = Prompt(loaded, network, config, unknown, by_paragraph=by_paragraph)
        place = prompt.run(place, primed=len(text) > 0)
    else:
        printed_prime = b"" if no_prime else text if isinstance(text, bytes) else text.encode()
        _write(texts, loaded.vocabulary, printed_prime, config.seed, stdout, context.params)
        if save_state is not None:
            place = texts.place_after()
    if save_state is not None:
        saved_state.write(Path(save_state), place, loaded.checkpoint)


def _refuse_contradictions(options: Mapping[str, Any]) -> None:
    """Raise UsageError for two options of the command that exclude each other."""
    threads = options["threads"]
    if threads is not None and threads < 1:
        raise UsageError(f"--threads {threads}: must be 1 or more")
    if options["prime"] and options["prime_file"] is not None:
        raise UsageError("--prime and --prime-file both say what comes first: give one of them")
    if options["as_json"] and options["separator"] is not None:
        raise UsageError("--separator: --json puts every text on a line of its own")
    if not options["interactive"]:
        if options["separator"] is not None and options["samples"] is None:
            raise UsageError("--separator stands between two texts: ask for several by --samples")
        return
    for flag, is_given in {
        "--json": options["as_json"],
        "--output": options["output"] is not None,
        "--separator": options["separator"] is not None,
        "--samples": options["samples"] not in (None, 1),
        "--no-prime": options["no_prime"],
        "--prime-file -": options["prime_file"] == "-",
    }.items():
        if is_given:
            raise UsageError(f"{flag}: has no meaning at the prompt of -i")
    if sys.stdin is None:
        raise CharRNNError("stdin is closed: there is nothing to read")


def _make_config(options: dict[str, Any], *, escape: bool, seed: int) -> SamplingConfig:
    """The SamplingConfig that the given options ask for, with `seed` if they name none.

    With `escape`, the escapes in stop strings stand for what they mean. Where lines are counted,
    the longest text has room for that many of them.
    """
    for name in ("forbid", "match"):
        if name in options:
            options[name] = parse_text(options[name])
    stops = [parse_text(stop) for stop in options.get("stop", ())]
    options["stop"] = tuple(unescape("--stop", stop) for stop in stops) if escape else tuple(stops)
    if "lines" in options:
        options.setdefault("length", LENGTH * max(1, options["lines"]))
    return SamplingConfig(**{"seed": seed, **options})


def _refuse_endless_texts(config: SamplingConfig, options: Mapping[str, Any]) -> None:
    """Raise UsageError for options that take effect when a text ends, if the texts never do.

    The state that --save-state keeps is the end of one text, so several are refused, too.
    """
    if not config.may_end():
        for flag, is_given in {
            "--output": options["output"] is not None,
            "--save-state": options["save_state"] is not None,
            "--json": options["as_json"],
        }.items():
            if is_given:
                raise UsageError(f"{flag}: a text without end never gets there; give it a --length")
    if options["save_state"] is not None and config.samples > 1:
        raise UsageError(
            f"--save-state: keeps the end of a single text, not of --samples {config.samples}"
        )


def _place_after(
    prime: str | bytes,
    model: "Model",
    network: "Network",
    unknown: "Unknown",
    load_state: str | None,
) -> "Place":
    """The place after reading `prime`, from the saved state on if there is one."""
    from charrnn.sampling import saved_state

    before = None
    if load_state is not None:
        before = saved_state.read(Path(load_state), model.checkpoint)
    return model.place_after(prime, network, unknown, before)


def _announce(
    model: "Model", precision: "PrecisionChoice", seed: int, *, interactive: bool
) -> None:
    """Say on stderr what makes the text come out the same again, and at a prompt what to type."""
    what_to_type = "; type a text, or /help" if interactive else ""
    print(
        f"model {model.name}, {model.precision(precision)}, seed {seed}{what_to_type}",
        file=sys.stderr,
    )


def _write(
    texts: "Texts",
    vocabulary: "Vocabulary",
    prime: bytes,
    seed: int,
    stdout: Output | None,
    options: Mapping[str, Any],
) -> None:
    """Write the texts, each behind `prime`, to stdout or, where that is None, to --output."""
    from charrnn.files.atomic import replacing

    if options["as_json"]:
        print_to = partial(print_json, texts, vocabulary, prime, seed)
    else:
        separator = options["separator"]
        between = "\n\n" if separator is None else parse_text(separator)
        print_to = partial(print_texts, texts, vocabulary, prime, between.encode())
    if stdout is None:
        with replacing(Path(options["output"])) as file:
            print_to(file)
        return
    print_to(stdout)
    if stdout.is_terminal and not options["as_json"]:
        stdout.write(b"\n")  # so that the shell's prompt does not stand behind the text
