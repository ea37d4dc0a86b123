"""A function in a process of its own, and the memory that it takes there."""

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from charrnn.cli.process import prepare_for_training

P = ParamSpec("P")
Result = TypeVar("Result")


def in_fresh_process(
    function: Callable[P, Result], *arguments: P.args, **options: P.kwargs
) -> Result:
    """Call `function` in a new process, set up as `charrnn train` sets up its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=prepare_for_training) as pool:
        return pool.submit(function, *arguments, **options).result()


def in_copy(function: Callable[P, Result], *arguments: P.args, **options: P.kwargs) -> Result:
    """Call `function` in a copy of this process, whose imports are there already.

    For a process that has not computed anything yet: threads are not copied.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        return pool.submit(function, *arguments, **options).result()


def resident_mib(
    field: Literal["VmRSS", "RssAnon"], process: int | Literal["self"] = "self"
) -> float | None:
    """Memory of a process that is in RAM, in MiB; None where there is no /proc to tell it.

    VmRSS is all of it, RssAnon what is no part of a file.
    """
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return None
    return int(status.read_text().split(f"{field}:")[1].split()[0]) / 1024


def growth_mib(work: Callable[[], object]) -> float | None:
    """MiB, no part of a file, that this process grows by at most while `work` runs.

    None where there is no /proc to tell it.
    """
    before = most = resident_mib("RssAnon")
    if before is None or most is None:
        return None
    over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.002):
            most = max(most or 0.0, resident_mib("RssAnon") or 0.0)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        work()
    finally:
        over.set()
        watching.join()
    return most - before
