"""A prime from a file or from stdin."""

import sys
from pathlib import Path

from charrnn.errors import CorpusError


def read_prime(name: str, as_bytes: bool) -> str | bytes:
    """Return all that the file holds, `-` being stdin; text as it is learned from: UTF-8, without
    a byte order mark. Raises CorpusError for what is missing, empty or no text.
    """
    data = _stdin() if name == "-" else _file(name)
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


def _stdin() -> bytes:
    if sys.stdin is None:
        raise CorpusError("stdin is closed: there is nothing to read")
    if sys.stdin.isatty():
        print("type the prime; Ctrl-D ends it", file=sys.stderr)
    return sys.stdin.buffer.read()


def _file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot read {name!r}: {error.strerror or error}") from error
