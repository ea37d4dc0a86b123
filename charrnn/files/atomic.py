"""Replacing a file whole: a reader sees the old file or the new one, never half of either."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from charrnn.errors import CheckpointError


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by a file holding `data`: a reader sees the old file or the new one."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes the place of `path` at the end, unless something goes wrong.

    What is there and no plain file, such as a device, is written to as it is. Raises
    CheckpointError where the file cannot be written.
    """
    temporary = None
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as beside:
            temporary = Path(beside.name)
            yield beside
            beside.flush()
            os.fsync(beside.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise CheckpointError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def keep_as(path: Path, other: Path) -> None:
    """Let `other` be the file that `path` is now, replacing what it was. Raises CheckpointError."""
    beside = other.with_name(f".{other.name}.{os.getpid()}")
    try:
        try:
            beside.unlink(missing_ok=True)
            beside.hardlink_to(path)
        except OSError:  # no such thing on this file system
            write_atomically(other, path.read_bytes())
        else:
            beside.replace(other)
    except OSError as error:
        raise CheckpointError(f"cannot write {str(other)!r}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """A new name, too, is on the disk only once its folder has been flushed."""
    if os.name == "nt":  # no such thing there
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
