"""Settings of the whole process that make training faster; a command makes them, no import does."""

import contextlib
import ctypes
import os
import signal

SPIN_COUNT = "2000"
"""How often a waiting OpenMP thread looks whether its wait is over before it gives up its CPU."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from malloc.h
MAX_KEPT_BYTES = 1 << 30
"""Size of the largest block of memory that the process keeps when it is freed."""


def prepare_for_training() -> None:
    """Set how threads wait and how memory is freed; to be called before torch is imported.

    What the user has set in the environment stays as it is. Until the first run has begun, and
    interrupts.py takes over, Ctrl-C ends the process at once: there is nothing to save, and an
    exception would wait for a step that is being timed, or be lost while torch is imported.

    OpenMP threads that wait for each other spin, by default so long that two trainings on two cores
    starve each other: a step was seen to take twenty times longer; with 2,000 spins, twice.

    glibc returns large blocks of memory to the system when they are freed, and each training step
    asks for them again. Keeping them saves a quarter of the time of torch's own kernels at some
    sizes.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    if not any(name.startswith("MALLOC_") for name in os.environ):
        with contextlib.suppress(OSError, AttributeError):  # where the C library is not glibc
            libc = ctypes.CDLL(None)
            libc.mallopt(M_MMAP_THRESHOLD, MAX_KEPT_BYTES)
            libc.mallopt(M_TRIM_THRESHOLD, MAX_KEPT_BYTES)
