"""Where the command `charrnn` starts: before anything is imported that takes time."""

import signal


def main() -> None:
    """Run the command line.

    While it is being imported, Ctrl-C ends the process at once and without a word: as an exception
    it would come out of some import as a traceback, or be lost in one.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from charrnn.cli.main import main as run

    run()
