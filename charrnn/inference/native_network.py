"""The native maker of a Network, and the fastest maker that there is here. No torch.

Its results are the same to the bit on every machine and for any number of threads and streams.
Where the compiled module is missing, numpy does the same, more slowly.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.network import Array, State, input_table, zero_state
from charrnn.inference.threads import ThreadTrials, default_threads, sampling_threads
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SamplingPrecision

BATCH = 8
"""From so many streams on there is work for every CPU at each step."""


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
        from charrnn.native import _native

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
        """The whole loop that writes, in place; see Sampler.write in native/_native.pyi."""

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
    from charrnn.native import _native

    return _native.Automaton(symbol_class, next_state, final, distance)


def _copied(state: State) -> State:
    return tuple(np.array(part, np.float32, order="C") for part in state)


def _h_and_c(state: State) -> tuple[Array, Array | None]:
    return state[0], state[1] if len(state) > 1 else None


def _as_ids(ids: NDArray[Any]) -> NDArray[np.int64]:
    return np.ascontiguousarray(ids, np.int64)
