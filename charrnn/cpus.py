"""How many CPUs this process may use: what its affinity mask and its control groups leave it."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from charrnn.words import counted

PROCESS_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def usable_cpus(process_groups: Path = PROCESS_GROUPS, groups: Path = GROUPS) -> int:
    """The number of CPUs that this process may use, at least 1.

    A control group's quota of CPU time counts as the whole CPUs that it pays for, rounded up. The
    arguments are where Linux tells of control groups; elsewhere there are none.
    """
    has_mask = hasattr(os, "sched_getaffinity")
    cpus = len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1
    quotas = [math.ceil(quota) for quota in _quotas(process_groups, groups)]
    return max(1, min([cpus, *quotas]))


def affordable_threads(threads: int) -> tuple[int, str | None]:
    """(as many threads as asked for, but no more than there are CPUs; a note if they are fewer).

    More threads than CPUs wait for each other at every product: a step takes minutes.
    """
    cpus = usable_cpus()
    if threads <= cpus:
        return threads, None
    return (
        cpus,
        f"{counted(cpus, 'thread')} instead of {threads}: this process may use no more CPUs",
    )


def _quotas(process_groups: Path, groups: Path) -> Iterator[float]:
    """CPUs that the quota of each of the process's control groups pays for (version 2)."""
    with suppress(OSError):
        for line in process_groups.read_text().splitlines():
            number, _, path = line.split(":", 2)
            if number != "0":  # a group of version 1
                continue
            group = groups / path.lstrip("/")
            for folder in (group, *group.parents):
                with suppress(OSError, ValueError):
                    quota, period = (folder / "cpu.max").read_text().split()
                    yield int(quota) / int(period)  # `max` is no number, and no limit
                if folder == groups:
                    break
