"""Replacing a file whole: a reader sees the old file or the new one, never half of either."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from charrnn.errors import OutputError

UNFINISHED = ".part"
"""The end of the name of a file that is not whole yet."""
_LEFTOVERS = (f".*{UNFINISHED}", ".*.safetensors.*", ".plan.json.*")
"""Names of files that a killed process left half-written; the last two are an older charrnn's."""


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by a file that holds `data`. Raises OutputError."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` at the end, unless something goes wrong.

    It is written beside `path`, flushed to the disk and renamed; then the folder is flushed, too.
    A `path` that is there and no plain file, such as a device, is written to as it is. Raises
    OutputError if the file cannot be written.
    """
    with output_errors(path):
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        temporary = None
        try:
            with tempfile.NamedTemporaryFile(
                dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED, delete=False
            ) as beside:
                temporary = Path(beside.name)
                yield beside
                beside.flush()
                os.fsync(beside.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
            _flush_folder(path.parent)
        finally:
            if temporary is not None:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)


def check_replaceable(path: Path) -> None:
    """Raise OutputError if `path` could not be replaced, before the work that it is to hold."""
    with output_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            path.open("ab").close()
        else:
            tempfile.TemporaryFile(dir=path.parent).close()


def keep_as(path: Path, other: Path) -> None:
    """Let `other` be the file that `path` is now, in place of what it was. Raises OutputError."""
    beside = other.with_name(f".{other.name}.{os.getpid()}{UNFINISHED}")
    with output_errors(other):
        try:
            try:
                beside.unlink(missing_ok=True)
                beside.hardlink_to(path)
            except OSError:  # the file system has no hard links
                write_atomically(other, path.read_bytes())
            else:
                beside.replace(other)
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes have left half-written in `folder`.

    No other process may be writing there: the caller holds the lock of the folder.
    """
    for pattern in _LEFTOVERS:
        for path in folder.glob(pattern):
            with suppress(OSError):
                path.unlink()


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """What the system says against writing `path` becomes an OutputError of one line."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


def _flush_folder(folder: Path) -> None:
    """Flush a folder: a new name, too, is on the disk only once its folder has been flushed."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
