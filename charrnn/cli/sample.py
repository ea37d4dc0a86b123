"""`charrnn sample`: text out, one character at a time, and nothing else on stdout."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charrnn.cli.arguments import parse_number, parse_size, parse_text
from charrnn.cli.escapes import unescape
from charrnn.cli.prime_file import read_prime
from charrnn.cli.printing import Sink, print_json, print_texts
from charrnn.cli.terminal import ModelArgument, Output, QuietOption
from charrnn.errors import CharRNNError, UsageError

if TYPE_CHECKING:
    from charrnn.sampling.config import SamplingConfig

LENGTH = 1000
LINE_LENGTH = 1000
"""New characters of a sample, and, where lines are counted, of each line; unless told otherwise."""


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
        int | None,
        typer.Option(
            "--length",
            "-n",
            parser=parse_size,
            metavar="N",
            help="New characters at most; -1 for no end.",
            show_default="1000, or 1000 per line with --lines",
        ),
    ] = None,
    forbid: Annotated[
        str, typer.Option("--forbid", metavar="CHARS", help="Never write these.")
    ] = "",
    stop: Annotated[
        list[str] | None,
        typer.Option(
            "--stop",
            metavar="STRING",
            help="End before STRING; may be given several times.",
            show_default=False,
        ),
    ] = None,
    keep_stop: Annotated[
        bool, typer.Option("--keep-stop", help="Let the stop string be the end of the text.")
    ] = False,
    lines: Annotated[
        int | None,
        typer.Option(
            "--lines",
            parser=parse_size,
            metavar="N",
            help="End after N newlines.",
            show_default=False,
        ),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match",
            metavar="REGEX",
            help="New text that matches as a whole, as long as it can be.",
            show_default=False,
        ),
    ] = None,
    prime: Annotated[str, typer.Option("--prime", help="The text to go on from.")] = "",
    prime_file: Annotated[
        str | None,
        typer.Option(
            "--prime-file",
            metavar="FILE",
            help="The same from a file; - for stdin.",
            show_default=False,
        ),
    ] = None,
    no_prime: Annotated[
        bool, typer.Option("--no-prime", help="Print new text only, not the prime.")
    ] = False,
    escape: Annotated[
        bool,
        typer.Option("--escape", help=r"Read \n, \t, \\, \xNN, \uNNNN in --prime and --stop."),
    ] = False,
    samples: Annotated[
        int,
        typer.Option("--samples", parser=parse_size, metavar="N", help="Texts, written at once."),
    ] = 1,
    separator: Annotated[
        str | None,
        typer.Option("--separator", help="Between two texts.", show_default="an empty line"),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="An object per text and line: text, seed, bits_per_char, ended."
        ),
    ] = False,
    output_file: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write there, not to stdout.", show_default=False
        ),
    ] = None,
    save_state: Annotated[
        str | None,
        typer.Option(
            "--save-state", metavar="FILE", help="Keep where the text ends.", show_default=False
        ),
    ] = None,
    load_state: Annotated[
        str | None,
        typer.Option("--load-state", metavar="FILE", help="Go on from there.", show_default=False),
    ] = None,
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
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="A prompt: your text, the model's, yours...")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Write text in the style of a model.

    Without a prime the model starts as if after a newline. The prime itself is
    printed first.

    Filters apply in the order --forbid and --match, --top-k, --top-p, --min-p,
    each to what the one before it left; the temperature comes last.

    --match knows Python's syntax but for lookaround and back-references. The text
    goes on while the expression lets it: it ends where nothing can follow, before
    a --stop, after --lines or at --length, and only where what is written matches.
    """
    from charrnn.files.atomic import replacing
    from charrnn.sampling import saved_state, trained_model
    from charrnn.sampling.config import SamplingConfig
    from charrnn.sampling.texts import Texts

    if threads is not None and threads < 1:
        raise typer.BadParameter(f"--threads {threads}: must be 1 or more")
    if prime and prime_file is not None:
        raise UsageError("--prime and --prime-file both say what comes first: give one of them")
    if as_json and separator is not None:
        raise UsageError("--separator: --json puts every text on a line of its own")
    if interactive:
        _check_interactive(
            {
                "--json": as_json,
                "--output": output_file is not None,
                "--separator": separator is not None,
                "--samples": samples != 1,
                "--no-prime": no_prime,
                "--prime-file -": prime_file == "-",
            }
        )
    prime, stops = parse_text(prime), [parse_text(each) for each in stop or []]
    if escape:
        prime = unescape("--prime", prime)
        stops = [unescape("--stop", each) for each in stops]
    if length is None:
        length = LENGTH if lines is None else LINE_LENGTH * max(1, lines)
    config = SamplingConfig(
        seed=trained_model.new_seed() if seed is None else seed,
        temperature=temperature,
        length=length,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        samples=samples,
        forbid=parse_text(forbid),
        stop=tuple(stops),
        keep_stop=keep_stop,
        lines=lines,
        match=None if match is None else parse_text(match),
    )
    _check_ends(config, output_file, save_state, as_json)
    stdout = None if output_file not in (None, "-") else Output()
    loaded = trained_model.load(model)
    first: str | bytes = prime
    if prime_file is not None:
        first = read_prime(prime_file, loaded.vocabulary.is_bytes)
    before = None
    if load_state is not None:
        before = saved_state.read(Path(load_state), loaded.checkpoint)
    network = loaded.network(precision, threads)
    place = loaded.place_after(first, network, unknown, before)
    keep = as_json or save_state is not None
    texts = Texts(network, loaded.vocabulary, place, config, keep)
    if not quiet:
        known = loaded.precision(precision)
        print(f"model {loaded.name}, {known}, seed {config.seed}", file=sys.stderr)
    if interactive:
        from charrnn.cli.prompt import Prompt

        place = Prompt(loaded, network, config, unknown).run(place, primed=len(first) > 0)
        if save_state is not None:
            saved_state.write(Path(save_state), place, loaded.checkpoint)
        return
    echoed = b"" if no_prime else first if isinstance(first, bytes) else first.encode()

    def show(to: Sink) -> None:
        if as_json:
            print_json(texts, loaded.vocabulary, echoed, config.seed, to)
        else:
            between = "\n\n" if separator is None else parse_text(separator)
            print_texts(texts, loaded.vocabulary, echoed, between.encode(), to)

    if stdout is None:
        with replacing(Path(str(output_file))) as file:
            show(file)
    else:
        show(stdout)
        if stdout.is_terminal and not as_json:
            stdout.write(b"\n")
    if save_state is not None:
        saved_state.write(Path(save_state), texts.place_after(), loaded.checkpoint)


def _check_interactive(given: dict[str, bool]) -> None:
    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"{option}: has no meaning at the prompt of -i")
    if sys.stdin is None:
        raise CharRNNError("stdin is closed: there is nothing to read")


def _check_ends(
    config: "SamplingConfig", output: str | None, save_state: str | None, as_json: bool
) -> None:
    """What is only done when a text has ended needs texts that end, and a state a single one."""
    from charrnn.sampling.config import ENDLESS

    limited = config.stop or config.lines is not None or config.match is not None
    wants = {"--output": output, "--save-state": save_state, "--json": as_json or None}
    for option, wanted in wants.items():
        if wanted is not None and config.length == ENDLESS and not limited:
            raise UsageError(f"{option}: a text without end never gets there; give it a --length")
    if save_state is not None and config.samples > 1:
        raise UsageError(f"--save-state: it is the end of one text, not of {config.samples}")
