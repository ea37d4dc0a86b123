"""Reading a prime, the text that a sample goes on from, out of a file or stdin."""

import sys
from pathlib import Path

from charrnn.errors import CorpusError


def read_prime(name: str, as_bytes: bool) -> str | bytes:
    """Return all that the file called `name` holds; `-` is stdin.

    Unless it is wanted as bytes, it is decoded as UTF-8 without a byte order mark, as the texts
    that models learn from are. Raises CorpusError for a file that is missing, empty or no text.
    """
    data = _read_stdin() if name == "-" else _read_file(name)
    shown = "stdin" if name == "-" else repr(name)
    if not data:
        raise CorpusError(f"no text in {shown}: it is empty")
    if as_bytes:
        return data
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{shown} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        ) from error
    return text.removeprefix("\ufeff")


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise CorpusError("stdin is closed: there is nothing to read")
    if sys.stdin.isatty():
        print("type the prime; Ctrl-D ends it", file=sys.stderr)
    return sys.stdin.buffer.read()


def _read_file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot read {name!r}: {error.strerror or error}") from error
