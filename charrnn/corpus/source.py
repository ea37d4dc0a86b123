"""Where text comes from: files, folders, stdin (`-`), and the standard library's own source.

Text is UTF-8. A byte order mark is dropped and CRLF becomes LF; nothing else is changed. With
`as_bytes` the bytes are taken exactly as they are.
"""

import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from charrnn.errors import CorpusError

STDIN = "-"
STDLIB = "stdlib"
CORPORA = Path("corpora")
_NOT_LIBRARY = {"test", "tests", "idle_test", "encodings", "site-packages", "dist-packages"}


@dataclass(frozen=True)
class Source:
    """One readable place, as the user named it."""

    kind: Literal["file", "folder", "stdin", "stdlib"]
    path: Path
    """The file or folder; for stdin the path is `-`."""

    @property
    def stem(self) -> str:
        """A short name for runs: `shakespeare` for /some/where/shakespeare.txt."""
        if self.kind in ("stdin", "stdlib"):
            return self.kind
        name = self.path.resolve().name
        return name.split(".")[0] or name.strip(".") or "corpus"


def locate(argument: str) -> Source:
    """Find what `argument` names; raise CorpusError if there is no such thing.

    A path is tried first, then the same name in `corpora/`, with and without `.txt`, then `stdlib`.
    """
    if argument == STDIN:
        return Source("stdin", Path(STDIN))
    candidates = [Path(argument)]
    if Path(argument).name == argument:
        candidates += [CORPORA / argument, CORPORA / f"{argument}.txt"]
    for path in candidates:
        if path.is_dir():
            return Source("folder", path)
        if path.exists():
            return Source("file", path)
    if argument == STDLIB:
        return Source("stdlib", Path(sysconfig.get_path("stdlib")))
    places = "here or in corpora/" if len(candidates) > 1 else "there"
    raise CorpusError(
        f"no file or folder {argument!r} {places}; give a path, - for stdin, or stdlib"
    )


def read(
    sources: Sequence[Source], *, as_bytes: bool, stdin: BinaryIO | None = None
) -> str | bytes:
    """Return the whole text of `sources`, in order; a file that lacks a last newline gets one
    where another file follows.

    Raises CorpusError for what cannot be read, is not UTF-8 (naming the place), or holds no text.
    """
    parts: list[bytes] = []
    for source in sources:
        parts.extend(_contents(source, as_bytes=as_bytes, stdin=stdin))
    for index, part in enumerate(parts[:-1]):
        if not as_bytes and not part.endswith(b"\n"):
            parts[index] = part + b"\n"
    data = b"".join(parts)
    if not data:
        names = ", ".join(str(source.path) for source in sources)
        raise CorpusError(f"no text in {names}: it is empty")
    return data if as_bytes else data.decode()


def _contents(source: Source, *, as_bytes: bool, stdin: BinaryIO | None) -> list[bytes]:
    if source.kind == "stdin":
        if stdin is None and sys.stdin is None:
            raise CorpusError("stdin is closed: there is nothing to read")
        data = (stdin or sys.stdin.buffer).read()
        return [data if as_bytes else _clean(data, "stdin")]
    if source.kind == "file":
        data = _read_file(source.path)
        return [data if as_bytes else _clean(data, str(source.path))]
    if source.kind == "stdlib":
        return [data for path in library_files(source.path) if (data := _read_file(path)).isascii()]
    return _folder_contents(source.path, as_bytes=as_bytes)


def _folder_contents(folder: Path, *, as_bytes: bool) -> list[bytes]:
    """Every text file below `folder`, sorted by path; hidden and binary files are passed over."""
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file():
            continue
        data = _read_file(path)
        if as_bytes:
            found.append(data)
        elif b"\0" not in data and _is_utf8(data):
            found.append(_clean(data, str(path)))
    if not any(found):
        raise CorpusError(f"no text in the folder {str(folder)!r}: no file there is UTF-8 text")
    return found


def library_files(library: Path) -> list[Path]:
    """The standard library's modules by path: no tests, no `encodings`, nothing installed."""
    files = library.rglob("*.py")
    return sorted(p for p in files if not _NOT_LIBRARY.intersection(p.relative_to(library).parts))


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _clean(data: bytes, name: str) -> bytes:
    """Check that `data` is UTF-8, drop a byte order mark, and turn CRLF into LF."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{name} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start} "
            f"(line {line}); --bytes learns from any bytes"
        ) from error
    return data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
