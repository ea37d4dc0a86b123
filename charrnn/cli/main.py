"""The command `charrnn`: its subcommands, and what it makes of errors and exit codes."""

import io
import os
import signal
import sys
import time
from typing import Annotated

import typer
from typer.exceptions import TyperException

from charrnn import __version__
from charrnn.cli import corpus
from charrnn.cli.bench import bench
from charrnn.cli.compare import compare
from charrnn.cli.evaluate import evaluate
from charrnn.cli.flags import with_flags
from charrnn.cli.help import command, make_app
from charrnn.cli.info import info
from charrnn.cli.list_runs import list_runs
from charrnn.cli.messages import use_lenient_stderr
from charrnn.cli.quick_options import use_quick_converters
from charrnn.cli.sample import sample
from charrnn.cli.terminal import wants_no_color
from charrnn.cli.train import train
from charrnn.errors import CharRNNError

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells report it: 128 plus the signal's number."""

app = make_app(
    "Learn the style of any text and write more of it, one character at a time.",
    "charrnn train notes.txt --budget 5m",
    "charrnn sample notes --prime 'Dear diary, '",
    name="charrnn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
command(
    app,
    "train",
    "charrnn train notes/ journal.txt --budget 5m",
    "charrnn train --resume notes --budget 5m",
)(train)
command(
    app,
    "sample",
    "charrnn sample --prime 'Once upon a time'",
    "charrnn sample notes -t 0.5 -n -1 | head",
)(sample)
command(
    app,
    "eval",
    "charrnn eval notes",
    "charrnn eval notes --corpus elsewhere/notes.txt",
)(evaluate)
command(
    app,
    "info",
    "charrnn info",
    "charrnn info notes --json",
)(info)
command(
    app,
    "list",
    "charrnn list",
    "charrnn list --json",
)(list_runs)
app.add_typer(corpus.app, name="corpus")
command(
    app,
    "compare",
    "charrnn compare notes.txt --cells gru,lstm",
    "charrnn compare names --records line --steps 500",
)(compare)
command(
    app,
    "bench",
    "charrnn bench",
    "charrnn bench --cell gru --hidden-size 512",
)(bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"charrnn {__version__}")
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
    started = time.monotonic() - time.process_time()  # the CPU time in which Python has started
    _use_utf8()
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:  # as `start.main` has left it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if wants_no_color():  # Typer's help would still be bold
        os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"
    code = _run(started)
    if "torch" in sys.modules and isinstance(code, int):
        # Everything is written. To take torch down would take a third of a second of the budget.
        os._exit(code)
    sys.exit(code)


def _use_utf8() -> None:
    """Let streams, arguments and the names of files be UTF-8, whatever the locale says.

    Where they are not, Python starts once more, in the mode in which they are: how it decodes
    arguments and names is settled before a program begins.
    """
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    if isinstance(sys.stdout, io.TextIOWrapper):  # None where it is closed
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    use_lenient_stderr()


def _run(started: float) -> "int | str | None":
    """Run the command that the arguments name and return its exit code.

    `started` is when the process began, which the command finds in its context. An error that the
    program raises on purpose is printed in one line; any other is a mistake of the program, whose
    traceback Python prints.
    """
    try:
        use_quick_converters()
        code: int = app(obj=started, standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except CharRNNError as error:
        return _fail(str(error), error.exit_code)
    except TyperException as error:
        return _fail(error.format_message(), error.exit_code)
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as ended:  # what Typer makes of a broken pipe, among others
        return _reader_left() if isinstance(ended.__context__, BrokenPipeError) else ended.code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except OSError as error:
        if error.filename is None:  # results are all that is written without a name
            return _fail(f"cannot write to stdout: {error.strerror or error}", _drop_stdout())
        return _fail(f"{error.strerror or error} {error.filename!r}", 1)


def _fail(message: str, code: int) -> int:
    """Print an error on one line, in which a file's own words cannot steer the terminal."""
    if message:
        line = " ".join(with_flags(message).split())
        print("charrnn:", "".join(c if c.isprintable() else "?" for c in line), file=sys.stderr)
    return code


def _reader_left() -> int:
    """Drop what is still to be written, and return 0: it is no failure."""
    _drop_stdout()
    return 0


def _drop_stdout() -> int:
    """Let what is still to be written to stdout go nowhere, and return the code of a failure."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 1
