"""Measuring how long functions take on this machine, whose speed may change meanwhile."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

Name = TypeVar("Name")

ROUNDS = 3
"""How often a function is called and timed, at least, unless told otherwise."""


def median_seconds(
    functions: Mapping[Name, Callable[[], object]], seconds: float, rounds: int = ROUNDS
) -> dict[Name, float]:
    """The median time of a call of each function, in seconds, by the function's name.

    The functions are called in turn, so that a change of the machine's speed meets them all alike,
    until `seconds` have passed and each has been called `rounds` times. Before that each is called
    once to warm up.
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
    return {name: statistics.median(call_times) for name, call_times in times.items()}


def mean_seconds(function: Callable[[], object], seconds: float, rounds: int = ROUNDS) -> float:
    """The mean time of a call of `function`, in seconds.

    It is called until `seconds` have passed and it has been called `rounds` times. Unlike a median,
    the mean counts calls that other programs held up, as a training run has them too.
    """
    started = time.perf_counter()
    done = 0
    while done < rounds or time.perf_counter() - started < seconds:
        function()
        done += 1
    return (time.perf_counter() - started) / done
