"""The native maker of a Network, and the fastest maker that there is here. No torch.

Its results are the same to the bit on every machine and for any number of threads and streams.
Where the compiled module is missing, numpy does the same, more slowly.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import Weights
from charrnn.engines.config import ENGINE_CELLS, SamplingPrecision, default_threads
from charrnn.inference import Array, Network, NumpyNetwork, State, input_table, zero_state
from charrnn.model.config import ModelConfig

BYTES_OF_WEIGHT: dict[SamplingPrecision, int] = {"fp32": 4, "bf16": 2, "int8": 1}
BYTES_OF_THREAD = 384 << 10
"""Below this share of the weights, meeting the other threads costs more than they save."""
MOST_THREADS = 8
BATCH = 8
"""From so many streams on there is work for every CPU at each step."""
LONGEST_WAIT = 256
"""Blocks between two trials of another number of threads, at most."""


def make_network(
    config: ModelConfig,
    weights: Weights,
    precision: SamplingPrecision = "fp32",
    threads: int | None = None,
) -> Network:
    """The fastest network here; threads=None suits them to the work and the load."""
    if config.cell not in ENGINE_CELLS["native"]:
        return NumpyNetwork(config, weights, precision)
    try:
        return NativeNetwork(config, weights, precision, threads)
    except ImportError:  # the package was installed without a compiler
        return NumpyNetwork(config, weights, precision)


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


class NativeNetwork:
    """Our C++ kernels; see docs/native-engine.md. The weights are packed once, when it is made."""

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        precision: SamplingPrecision = "fp32",
        threads: int | None = None,
        kernels: str = "",
    ) -> None:
        """threads: of every call, or None to suit the work; the results do not depend on it.

        `kernels`: one of _native.sampler_kernels(), or the best.
        """
        from charrnn.engines import _native

        self.config = config
        self.precision = precision

        def of_layers(name: str, first: int) -> list[Array]:
            layers = range(first, config.num_layers)
            return [np.ascontiguousarray(weights[f"rnn.{name}_l{layer}"]) for layer in layers]

        self._sampler = _native.Sampler(
            config.cell,
            precision,
            input_table(config, weights),
            of_layers("weight_ih", 1),
            of_layers("bias_ih", 1),
            of_layers("weight_hh", 0),
            of_layers("bias_hh", 0),
            np.ascontiguousarray(weights["decoder.weight"]),
            weights["decoder.bias"],
            kernels,
        )
        self._threads = threads
        self._trials = ThreadTrials(sampling_threads(config, precision))

    def _choose_threads(self, streams: int) -> None:
        """For reading and scoring; a single stream is read by one thread."""
        suited = default_threads() if streams >= BATCH else 1
        self._sampler.threads = self._threads or suited

    def initial_state(self, batch_size: int) -> State:
        """Zeros, each (L, B, H)."""
        return zero_state(self.config, batch_size)

    def step(self, ids: NDArray[Any], state: State) -> tuple[Array, State]:
        """See Network."""
        logits = np.empty((len(ids), self.config.vocab_size), np.float32)
        after = _copied(state)
        self._choose_threads(len(ids))
        self._sampler.read(_as_ids(ids)[None], *_h_and_c(after), logits)
        return logits, after

    def read(self, ids: NDArray[Any], state: State) -> State:
        """See Network."""
        after = _copied(state)
        self._choose_threads(ids.shape[1])
        self._sampler.read(_as_ids(ids), *_h_and_c(after), None)
        return after

    def score(
        self, inputs: NDArray[Any], targets: NDArray[Any], state: State
    ) -> tuple[NDArray[np.float64], State]:
        """See Network."""
        nats = np.empty(targets.shape, np.float64)
        after = _copied(state)
        self._choose_threads(inputs.shape[1])
        self._sampler.score(_as_ids(inputs), _as_ids(targets), *_h_and_c(after), nats)
        return nats, after

    def write(self, state: State, *arguments: Any) -> int:
        """The whole loop that writes, in place; see Sampler.write in engines/_native.pyi."""

        def work(threads: int) -> int:
            self._sampler.threads = threads
            return self._sampler.write(*_h_and_c(state), *arguments)

        return self._trials.run(work) if self._threads is None else work(self._threads)


def as_native_automaton(
    symbol_class: NDArray[np.int32],
    next_state: NDArray[np.int32],
    final: NDArray[np.uint8],
    distance: NDArray[np.int32],
) -> Any:
    """The tables of an Automaton, checked, as NativeNetwork.write takes them."""
    from charrnn.engines import _native

    return _native.Automaton(symbol_class, next_state, final, distance)


def _copied(state: State) -> State:
    return tuple(np.array(part, np.float32, order="C") for part in state)


def _h_and_c(state: State) -> tuple[Array, Array | None]:
    return state[0], state[1] if len(state) > 1 else None


def _as_ids(ids: NDArray[Any]) -> NDArray[np.int64]:
    return np.ascontiguousarray(ids, np.int64)
