"""One process at a time, by a lock that the system lets go of however its holder ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from charrnn.corpus.progress import Note, Report

try:
    import fcntl
except ImportError:  # no such thing on Windows: two processes at once both do the work
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(path: Path, work: str, report: Report) -> Iterator[bool]:
    """Hold the lock file at `path`, waiting for it with a word if another process is at `work`.

    Yields False where the file system has no locks. Raises OSError if the file cannot be made.
    """
    with path.open("ab") as file:
        if fcntl is None:
            yield False
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(Note(f"waiting for another charrnn that is {work}"))
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            yield False
            return
        yield True
