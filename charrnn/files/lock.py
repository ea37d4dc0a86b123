"""A lock that one process holds at a time, and that the system frees however the process ends."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks: two processes at once both go on
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[bool]:
    """Hold the lock of the folder `path`, or of the file `path`, which is made if it is missing.

    Where another process holds it: with `on_wait`, call that and wait; without, raise
    BlockingIOError. Yields False where the system or the file system has no locks. Raises OSError
    if `path` cannot be opened.
    """
    if fcntl is None:
        yield False
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield _take(descriptor, on_wait)
    finally:
        os.close(descriptor)


def _take(descriptor: int, on_wait: Callable[[], None] | None) -> bool:
    """Lock the open file `descriptor`, as `held` says; return False if it cannot be locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if on_wait is None:
            raise
        on_wait()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return False
    return True
