"""With how many CPU threads sampling is fastest."""

import math
import time
from collections.abc import Callable

from charrnn.cpus import usable_cpus
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SamplingPrecision

BYTES_OF_WEIGHT: dict[SamplingPrecision, int] = {"fp32": 4, "bf16": 2, "int8": 1}
"""How many bytes a weight takes at each precision."""
BYTES_OF_THREAD = 384 << 10
"""The fewest bytes of weights that are worth a thread of their own. With fewer, waiting for the
other threads at every layer costs more than they save."""
MOST_THREADS = 8
"""The most threads that one stream is sampled with."""
LONGEST_WAIT = 256
"""The most blocks between two trials of another number of threads."""


def sampling_threads(config: ModelConfig, precision: SamplingPrecision) -> int:
    """With how many threads one stream is sampled fastest, if the CPUs are idle."""
    size = config.num_parameters() * BYTES_OF_WEIGHT[precision]
    return max(1, min(size // BYTES_OF_THREAD, usable_cpus(), MOST_THREADS))


class ThreadTrials:
    """Finds out, while blocks of text are sampled, whether `most` threads are faster than one.

    Threads that wait for each other at every layer are slow where another program takes a CPU away
    from one of them. So blocks are timed with one thread and with `most`. The faster number stays
    in use, and the other gets another trial, ever more rarely while it keeps losing.
    """

    def __init__(self, most: int) -> None:
        self._best, self._other = most, 1  # numbers of threads
        self._best_s = math.inf  # seconds of a step with the best number, when last timed
        self._wait = self._blocks_left = 2  # blocks between two trials, and until the next one

    def run(self, work: Callable[[int], int]) -> int:
        """Return how many steps `work(threads)` says that it took, after calling it once."""
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
