"""`charrnn sample -i`: text in, the model goes on. The standard library's readline edits lines."""

import contextlib
import io
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from typer.exceptions import TyperException

from charrnn.cli.arguments import parse_number, parse_size, parse_text
from charrnn.cli.printing import print_texts
from charrnn.cli.terminal import Output
from charrnn.errors import CharRNNError

if TYPE_CHECKING:
    from charrnn.corpus.vocabulary import Unknown
    from charrnn.inference.network import Network
    from charrnn.sampling.config import SamplingConfig
    from charrnn.sampling.place import Place
    from charrnn.sampling.trained_model import Model

HELP = """\
TEXT       the model reads it and goes on
/more      go on without new text (so does an empty line)
/temp T    the temperature from here on
/seed N    the seed from here on
/reset     forget all that was read and written
/quit      leave; so does Ctrl-D
Ctrl-C     stops the text"""


class Prompt:
    """A story that a person and a model write in turn."""

    def __init__(
        self, model: "Model", network: "Network", config: "SamplingConfig", unknown: "Unknown"
    ) -> None:
        self._model = model
        self._network = network
        self._config = config
        self._unknown = unknown
        self._output = Output()
        if isinstance(sys.stdin, io.TextIOWrapper):  # parse_text judges what is no UTF-8
            sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
        self._sign = "> " if sys.stdin.isatty() else ""

    def run(self, place: "Place", primed: bool) -> "Place":
        """Answer line by line until the input ends; return where the story has come to.

        primed: there is something to go on from before the first line.
        """
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 (input uses it from here on)
        if primed:
            place = self._write(place)
        while True:
            try:
                line = input(self._sign)
            except EOFError:
                break
            except KeyboardInterrupt:  # only the line is given up
                _tell("")
                continue
            if line.split() == ["/quit"]:
                return place
            try:
                place = self._answered(parse_text(line), place)
            except KeyboardInterrupt:
                _tell("")
            except (CharRNNError, TyperException) as error:
                _tell(f"charrnn: {_message(error)}")
        if self._sign:
            _tell("")
        return place

    def _answered(self, line: str, place: "Place") -> "Place":
        if not line.startswith("/"):
            read = self._model.place_after(line, self._network, self._unknown, place)
            return self._write(read)
        command, _, argument = line.strip().partition(" ")
        if command == "/more":
            return self._write(place)
        if command == "/reset":
            return self._model.place_after("", self._network)
        if command == "/temp":
            if argument:
                self._config = replace(self._config, temperature=parse_number(argument))
            _tell(f"temperature {self._config.temperature:g}")
        elif command == "/seed":
            if argument:
                self._config = replace(self._config, seed=parse_size(argument))
            _tell(f"seed {self._config.seed}")
        elif command == "/help":
            _tell(HELP)
        else:
            _tell(f"no command {command!r}; /help lists them")
        return place

    def _write(self, place: "Place") -> "Place":
        """Show new text; return the place at the end of what was shown. Ctrl-C ends it."""
        from charrnn.sampling.texts import Texts

        vocabulary = self._model.vocabulary
        texts = Texts(self._network, vocabulary, place, self._config, keep=True)
        with contextlib.suppress(KeyboardInterrupt):
            print_texts(texts, vocabulary, b"", b"", self._output)
        self._output.write(b"\n")
        # every turn has random numbers of its own, and the same ones again after /seed
        self._config = replace(self._config, seed=(self._config.seed + 1) % 2**64)
        return texts.place_after()


def _message(error: CharRNNError | TyperException) -> str:
    return error.format_message() if isinstance(error, TyperException) else str(error)


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
