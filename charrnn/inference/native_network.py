"""A Network that runs on our C++ kernels, with as many threads as pay. No torch.

Its results are the same to the bit on every machine and for any number of threads and streams.
Where the compiled module is missing, numpy does the same, more slowly.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from charrnn.cpus import usable_cpus
from charrnn.experts import layout
from charrnn.experts.table import Recent
from charrnn.inference.network import Array, State, input_table, zero_state
from charrnn.inference.threads import ThreadTrials, sampling_threads
from charrnn.inference.writer_state import WriterState
from charrnn.model.cells import CELLS
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SamplingPrecision

if TYPE_CHECKING:  # the compiled module may be missing, and is not loaded before it is needed
    from charrnn.native import _native

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

        ngrams = gate = shares = None
        if config.ngram_order:
            gate, shares = weights["experts.gate"], weights[layout.SHARES]
            ngrams = layout.from_tensors(weights, config.vocab_size, config.ngram_order).native
        self._sampler = _native.Sampler(
            cell=config.cell,
            precision=precision,
            table=input_table(config, weights),
            weight_ih=of_layers("weight_ih", 1),
            bias_ih=of_layers("bias_ih", 1),
            weight_hh=of_layers("weight_hh", 0),
            bias_hh=of_layers("bias_hh", 0),
            decoder=np.ascontiguousarray(weights["decoder.weight"]),
            decoder_bias=weights["decoder.bias"],
            ngrams=ngrams,
            gate=gate,
            shares=shares,
            kernels=kernels,
        )
        self._threads = threads
        self._trials = ThreadTrials(sampling_threads(config, precision))

    def _reading_threads(self, streams: int) -> int:
        """The threads that read or score; a few streams are not enough work for more than one."""
        return self._threads or (usable_cpus() if streams >= BATCH else 1)

    def initial_state(self, batch_size: int) -> State:
        """Zeros."""
        return zero_state(self.config, batch_size)

    def step(self, ids: NDArray[Any], state: State) -> tuple[Array, State]:
        """See Network."""
        logits = np.empty((len(ids), self.config.vocab_size), np.float32)
        after = _copied(state)
        h, c, recent = self._parts(after)
        self._sampler.read(
            threads=self._reading_threads(len(ids)),
            ids=_as_ids(ids)[None],
            h=h,
            c=c,
            recent=recent,
            logits=logits,
        )
        return logits, after

    def read(self, ids: NDArray[Any], state: State) -> State:
        """See Network."""
        after = _copied(state)
        h, c, recent = self._parts(after)
        self._sampler.read(
            threads=self._reading_threads(ids.shape[1]),
            ids=_as_ids(ids),
            h=h,
            c=c,
            recent=recent,
            logits=None,
        )
        return after

    def score(
        self, inputs: NDArray[Any], targets: NDArray[Any], state: State
    ) -> tuple[NDArray[np.float64], State]:
        """See Network."""
        nats = np.empty(targets.shape, np.float64)
        after = _copied(state)
        h, c, recent = self._parts(after)
        self._sampler.score(
            threads=self._reading_threads(inputs.shape[1]),
            ids=_as_ids(inputs),
            targets=_as_ids(targets),
            h=h,
            c=c,
            recent=recent,
            nats=nats,
        )
        return nats, after

    def write(
        self,
        state: WriterState,
        out: NDArray[np.int32],
        *,
        symbols_left: int,
        seed: int,
        temperature: float,
        filters: Mapping[str, float],
        allowed: NDArray[np.uint8] | None,
        automaton: "_native.Automaton | None",
    ) -> int:
        """Fill out (n, S) with the next n ids of every text, -1 where one has ended.

        It stops early where all have ended, and returns how many steps it took. `state` is where
        the texts stand afterwards. symbols_left: that each may still write, now and later.
        filters: sampling.filters.active_filters. allowed: (V,), 0 for what is never chosen.
        """
        h, c, recent = self._parts(state.network_state)

        def work(threads: int) -> int:
            return self._sampler.write(
                threads=threads,
                h=h,
                c=c,
                recent=recent,
                last=state.last,
                automaton_state=state.automaton_state,
                ended=state.ended,
                position=state.position,
                symbols_left=symbols_left,
                record_end=state.record_end,
                seed=seed,
                temperature=temperature,
                filters=filters,
                allowed=allowed,
                automaton=automaton,
                out=out,
            )

        taken = self._trials.run(work) if self._threads is None else work(self._threads)
        state.position += taken
        return taken

    def _parts(self, state: State) -> tuple[Array, Array | None, Recent | None]:
        """h, c and `recent` of a state; None for those of the last two that the model has not."""
        carried = len(CELLS[self.config.cell].state)
        c = state[1] if carried > 1 else None
        return state[0], c, state[carried] if self.config.ngram_order else None


def make_native_automaton(
    symbol_class: NDArray[np.int32],
    next_state: NDArray[np.int32],
    final: NDArray[np.uint8],
    distance: NDArray[np.int32],
) -> "_native.Automaton":
    """The tables of an Automaton (sampling/automaton.py), checked, as NativeNetwork.write takes
    them. Raises ValueError for tables that lead nowhere.
    """
    from charrnn.native import _native

    return _native.Automaton(
        symbol_class=symbol_class, next_state=next_state, final=final, distance=distance
    )


def _copied(state: State) -> State:
    return tuple(np.array(part, order="C") for part in state)


def _as_ids(ids: NDArray[Any]) -> NDArray[np.int64]:
    return np.ascontiguousarray(ids, np.int64)
