"""Settings of the whole process that make training faster. Made by the command, never at import."""

import contextlib
import ctypes
import os

SPINS = "2000"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from malloc.h
LARGEST_KEPT_BLOCK = 1 << 30


def prepare_for_training() -> None:
    """Call before torch is imported. What the user has set already stays as it is.

    OpenMP threads that wait spin for a while: by default so long that two trainings on two cores
    starve each other (a step was seen to take twenty times longer; with 2,000 spins, twice).

    glibc gives large blocks back to the system at once, and every step asks for them again. Keeping
    them is worth a quarter of the time of torch's own kernels at some sizes.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    if not any(name.startswith("MALLOC_") for name in os.environ):
        with contextlib.suppress(OSError, AttributeError):  # no glibc here
            libc = ctypes.CDLL(None)
            libc.mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BLOCK)
            libc.mallopt(M_TRIM_THRESHOLD, LARGEST_KEPT_BLOCK)
