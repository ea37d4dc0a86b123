"""Timing things in turn, so that a machine whose speed drifts is fair to all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

Name = TypeVar("Name")


def median_seconds(
    functions: Mapping[Name, Callable[[], object]], seconds: float, rounds: int = 3
) -> dict[Name, float]:
    """The median time of each function, called in turn for `seconds`, at least `rounds` times each.

    Each is called once more beforehand, to warm up.
    """
    for function in functions.values():
        function()
    times: dict[Name, list[float]] = {name: [] for name in functions}
    end = time.perf_counter() + seconds
    done = 0
    while done < rounds or time.perf_counter() < end:
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - started)
        done += 1
    return {name: statistics.median(found) for name, found in times.items()}


def mean_seconds(function: Callable[[], object], seconds: float, rounds: int = 3) -> float:
    """The mean time of `function`, called for `seconds`: hiccups count, as they do in a run."""
    started = time.perf_counter()
    done = 0
    while done < rounds or time.perf_counter() - started < seconds:
        function()
        done += 1
    return (time.perf_counter() - started) / done
