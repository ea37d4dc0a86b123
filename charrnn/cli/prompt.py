"""The prompt of `charrnn sample -i`, at which a person and a model write a text in turn."""

import contextlib
import io
import locale
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from typer.exceptions import TyperException

from charrnn.cli.arguments import parse_number, parse_size, parse_text
from charrnn.cli.flags import with_flags
from charrnn.cli.terminal import Output
from charrnn.errors import CharRNNError

if TYPE_CHECKING:
    from charrnn.corpus.vocabulary import Ids, Unknown
    from charrnn.inference.network import Network
    from charrnn.sampling.config import SamplingConfig
    from charrnn.sampling.place import Place
    from charrnn.sampling.trained_model import Model

HELP = """\
TEXT        the model reads it and goes on
/more       go on without new text; so does an empty line
/more N     go on for N characters
/length N   N characters in each answer; /length paragraph
            ends it with its paragraph again
/temp T     the temperature from here on
/seed N     the seed from here on
/reset      forget all that was read and written
/quit       leave; so does Ctrl-D
Ctrl-C      stops the text"""
"""What /help prints."""
PARAGRAPH = "paragraph"
"""The word for an answer that ends with its paragraph, where a number of characters may stand."""


class Prompt:
    """Reads lines and commands from stdin, and writes how the model goes on to stdout."""

    def __init__(
        self,
        model: "Model",
        network: "Network",
        config: "SamplingConfig",
        unknown: "Unknown",
        *,
        by_paragraph: bool,
    ) -> None:
        """Take the model and how it writes; `by_paragraph`, each answer ends with a paragraph."""
        self._model = model
        self._network = network
        self._config = config
        self._by_paragraph = by_paragraph
        self._unknown = unknown
        self._output = Output()
        if isinstance(sys.stdin, io.TextIOWrapper):
            # parse_text judges what is no UTF-8; a script may have been written on Windows.
            sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape", newline=None)
        self._sign = "> " if sys.stdin.isatty() else ""
        """What a person at a terminal sees before the line that is being typed."""

    def run(self, place: "Place", primed: bool) -> "Place":
        """Answer line by line until the input ends; return the place where the text has come to.

        `place` is where the text begins. If it is `primed`, the model writes before the first line
        is read.
        """
        _let_lines_be_edited()
        if primed:
            place = self._write(place)
        while True:
            try:
                line = input(self._sign)
            except EOFError:
                break
            except KeyboardInterrupt:  # gives up the line, not the prompt
                _print_message("")
                continue
            if line.split() == ["/quit"]:
                return place
            try:
                place = self._answer(parse_text(line), place)
            except KeyboardInterrupt:
                _print_message("")
            except (CharRNNError, TyperException) as error:
                _print_message(f"charrnn: {_line_of(error)}")
        if self._sign:
            _print_message("")
        return place

    def _answer(self, line: str, place: "Place") -> "Place":
        """Carry out a command, or go on after a line of text; return the place after that."""
        if not line.startswith("/"):
            place = self._model.place_after(line, self._network, self._unknown, place)
            return self._write(place)
        command, _, argument = line.strip().partition(" ")
        if command == "/more":
            return self._write(place, parse_size(argument) if argument else None)
        if command == "/reset":
            return self._model.place_after("", self._network)
        if command == "/temp":
            if argument:
                self._config = replace(self._config, temperature=parse_number(argument))
            _print_message(f"temperature {self._config.temperature:g}")
        elif command == "/seed":
            if argument:
                self._config = replace(self._config, seed=parse_size(argument))
            _print_message(f"seed {self._config.seed}")
        elif command == "/length":
            self._set_length(argument.strip())
        elif command == "/help":
            _print_message(HELP)
        else:
            _print_message(f"no command {command!r}; /help lists them")
        return place

    def _set_length(self, argument: str) -> None:
        """Let answers have the length that is typed, if one is, and say which they have."""
        if argument == PARAGRAPH:
            self._by_paragraph = True
        elif argument:
            self._config = replace(self._config, length=parse_size(argument))
            self._by_paragraph = False
        _print_message(f"length {PARAGRAPH if self._by_paragraph else self._config.length}")

    def _write(self, place: "Place", length: int | None = None) -> "Place":
        """Write an answer until it or Ctrl-C ends it; return the place after what was written.

        `length` is its number of characters; None stands for that of all answers.
        """
        import numpy as np

        from charrnn.sampling.paragraph import LONGEST, first_paragraph
        from charrnn.sampling.texts import Texts

        vocabulary = self._model.vocabulary
        by_paragraph = self._by_paragraph and length is None
        if length is None:
            length = LONGEST if by_paragraph else self._config.length
        config = replace(self._config, length=length)
        texts = Texts(self._network, vocabulary, place, config)
        pieces: Iterator[Ids] = (shown for (shown,) in texts)
        if by_paragraph:
            pieces = first_paragraph(pieces, vocabulary, self._model.record_end)
        written = [np.empty(0, np.int32)]
        data = b""
        with contextlib.suppress(KeyboardInterrupt):
            for piece in pieces:
                written.append(piece)
                data = vocabulary.decode_bytes(piece) or data
                self._output.write(data)
        if not data.endswith(b"\n"):
            self._output.write(b"\n")
        # Each text has random numbers of its own, and the same ones again after /seed.
        self._config = replace(self._config, seed=(self._config.seed + 1) % 2**64)
        return place.then(self._network, np.concatenate(written))


def _let_lines_be_edited() -> None:
    """Let people edit the lines that `input` reads, letter by letter and not byte by byte.

    readline asks the environment what a letter is, each time.
    """
    if locale.getencoding().lower() != "utf-8":
        os.environ["LC_ALL"] = "C.UTF-8"
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401


def _line_of(error: CharRNNError | TyperException) -> str:
    """What an error says, without Typer's usage lines, and with the prompt's commands for flags."""
    message = (
        error.format_message() if isinstance(error, TyperException) else with_flags(str(error))
    )
    return re.sub(r"--(temp|seed|length)\b", r"/\1", message)


def _print_message(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
