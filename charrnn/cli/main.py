"""The command `charrnn`: it parses, calls one function of the API, and says errors in one line."""

import io
import os
import sys
import time
from typing import Annotated

import typer
from typer.exceptions import TyperException

from charrnn.cli import corpus
from charrnn.cli.bench import bench
from charrnn.cli.compare import compare
from charrnn.cli.evaluate import evaluate
from charrnn.cli.info import info, list_runs
from charrnn.cli.quick_options import use_quick_converters
from charrnn.cli.sample import sample
from charrnn.cli.train import train
from charrnn.errors import CharRNNError

INTERRUPTED = 130

app = typer.Typer(
    name="charrnn",
    help="Learn the style of any text and write more of it, one character at a time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train)
app.command()(sample)
app.command("eval")(evaluate)
app.command()(info)
app.command("list")(list_runs)
app.add_typer(corpus.app, name="corpus")
app.command()(compare)
app.command()(bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"charrnn {version('charrnn')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and exit with its code."""
    started = time.monotonic()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        use_quick_converters()
        code = app(obj=started, standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
    except CharRNNError as error:
        code = _fail(str(error), error.exit_code)
    except TyperException as error:
        code = _fail(error.format_message(), error.exit_code)
    except BrokenPipeError:
        code = _reader_left()
    except SystemExit as ended:  # what Typer makes of a broken pipe, among others
        code = ended.code
        if isinstance(ended.__context__, BrokenPipeError):
            code = _reader_left()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        place = f" {error.filename!r}" if error.filename else ""
        code = _fail(f"{error.strerror or error}{place}", 1)
    sys.exit(code)


def _fail(message: str, code: int) -> int:
    if message:
        line = " ".join(message.split())  # a file's own words must not steer the terminal
        print("charrnn:", "".join(c if c.isprintable() else "?" for c in line), file=sys.stderr)
    return code


def _reader_left() -> int:
    """Nobody reads stdout any more: what is still buffered goes nowhere, and that is no failure."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0
