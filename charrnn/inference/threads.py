"""How many CPU threads there are to use, and how many of them pay."""

import math
import os
import time
from collections.abc import Callable

from charrnn.model.config import ModelConfig
from charrnn.model.precision import SamplingPrecision


def default_threads() -> int:
    """The CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


BYTES_OF_WEIGHT: dict[SamplingPrecision, int] = {"fp32": 4, "bf16": 2, "int8": 1}


BYTES_OF_THREAD = 384 << 10
"""Below this share of the weights, meeting the other threads costs more than they save."""


MOST_THREADS = 8


LONGEST_WAIT = 256
"""Blocks between two trials of another number of threads, at most."""


def sampling_threads(config: ModelConfig, precision: SamplingPrecision) -> int:
    """How many threads pay for one stream, if the CPUs are idle."""
    size = config.num_parameters() * BYTES_OF_WEIGHT[precision]
    return max(1, min(size // BYTES_OF_THREAD, default_threads(), MOST_THREADS))


class ThreadTrials:
    """Finds out whether `most` threads are faster than one just now.

    Threads that meet at every layer are slow where another program takes their CPU away. So blocks
    are timed with one and with `most`, the faster goes on, and the other gets another trial, ever
    more rarely while it keeps losing.
    """

    def __init__(self, most: int) -> None:
        self._best, self._other = most, 1
        self._best_s = math.inf
        self._wait = self._blocks_left = 2

    def run(self, work: Callable[[int], int]) -> int:
        """Call work(threads), which says how many steps it took."""
        trial = self._blocks_left == 0 and self._other != self._best
        threads = self._other if trial else self._best
        started = time.perf_counter()
        steps = work(threads)
        step_s = (time.perf_counter() - started) / max(1, steps)
        self._blocks_left = max(0, self._blocks_left - 1)
        if not trial:
            self._best_s = step_s
        elif step_s < self._best_s:
            self._best, self._other, self._best_s = self._other, self._best, step_s
            self._wait = self._blocks_left = 2
        else:
            self._wait = min(2 * self._wait, LONGEST_WAIT)
            self._blocks_left = self._wait
        return steps
