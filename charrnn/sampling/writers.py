"""The loop that writes: read a symbol, look at the logits, choose the next, and so on.

Natively the whole loop runs without Python and hands back blocks of ids. Random number `i` of
sample `s` is number `i` of Philox4x64-10 under the key `seed` from counter (0, 0, s, 0) on, as
numpy.random.Philox counts it: it depends on neither the machine nor the other samples.
"""

import time
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.native_network import NativeNetwork, make_native_automaton
from charrnn.inference.network import Network
from charrnn.inference.writer_state import FINAL_STATE, GOES_ON, NOTHING_ALLOWED, WriterState
from charrnn.sampling.automaton import FORBIDDEN, Automaton
from charrnn.sampling.config import ENDLESS, SamplingConfig
from charrnn.sampling.filters import active_filters, choose
from charrnn.sampling.place import Place

Blocks = NDArray[np.int32]
"""Ids (n, S) of n steps of S samples, -1 where a sample has ended."""

BLOCK_S = 0.03
"""Blocks grow until one takes about this long, so that text streams smoothly."""
LARGEST_BLOCK = 65536
NO_END = 2**62
"""Symbols that are left where no length was given."""


class Writer(Protocol):
    """Writes the next symbols of S samples."""

    state: WriterState
    """Where each sample stands."""

    def write(self, steps: int) -> Blocks:
        """The next ids, (n, S) with n <= steps, fewer only where all samples have ended."""


class NumpyWriter:
    """The loop in Python, a step at a time, with any Network."""

    def __init__(
        self,
        network: Network,
        state: WriterState,
        config: SamplingConfig,
        allowed: NDArray[np.uint8] | None = None,
        automaton: Automaton | None = None,
    ) -> None:
        """allowed: (V,), 0 for symbols that are never chosen."""
        self.state = state
        self._network = network
        self._config = config
        self._allowed = allowed
        self._automaton = automaton
        self._random = [
            np.random.Generator(np.random.Philox(key=config.seed, counter=[0, 0, sample, 0]))
            for sample in range(len(state.last))
        ]

    def write(self, steps: int) -> Blocks:
        """See Writer."""
        state = self.state
        block = np.full((steps, len(state.last)), -1, np.int32)
        for step in range(steps):
            if state.ended.all():
                return block[:step]
            logits, state.network_state = self._network.step(state.last, state.network_state)
            left = symbols_left(self._config, state) - 1
            for sample in map(int, np.flatnonzero(state.ended == GOES_ON)):
                block[step, sample] = self._choose(sample, logits[sample], left)
            state.position += 1
        return block

    def _choose(self, sample: int, logits: NDArray[np.float32], left: int) -> int:
        """The next symbol of `sample`, from logits (V,); `left` more may follow it."""
        state, automaton = self.state, self._automaton
        allowed = self._allowed
        if automaton is not None:
            # The state after each symbol, (V,).
            following = automaton.next_state[state.automaton_state[sample], automaton.symbol_class]
            may_follow = (following != FORBIDDEN) & (automaton.distance[following] <= left)
            allowed = may_follow if allowed is None else may_follow & (allowed != 0)
        symbol = choose(logits, self._config, self._random[sample].random(), allowed)
        if symbol < 0:
            state.ended[sample] = NOTHING_ALLOWED
            return symbol
        state.last[sample] = symbol
        if symbol == state.record_end:  # the next record was learned from the zero state
            for part in state.network_state:  # (L, S, H)
                part[:, sample] = 0
        if automaton is not None:
            state.automaton_state[sample] = following[symbol]
            if automaton.final[following[symbol]]:
                state.ended[sample] = FINAL_STATE
        return symbol


class NativeWriter:
    """The loop in C++, a block at a time."""

    def __init__(
        self,
        network: NativeNetwork,
        state: WriterState,
        config: SamplingConfig,
        allowed: NDArray[np.uint8] | None = None,
        automaton: Automaton | None = None,
    ) -> None:
        """allowed: (V,), 0 for symbols that are never chosen."""
        self.state = state
        self._network = network
        self._config = config
        self._filters = active_filters(config)
        self._allowed = allowed
        self._automaton = None
        if automaton is not None:
            self._automaton = make_native_automaton(
                automaton.symbol_class, automaton.next_state, automaton.final, automaton.distance
            )

    def write(self, steps: int) -> Blocks:
        """See Writer."""
        block = np.empty((steps, len(self.state.last)), np.int32)
        taken = self._network.write(
            self.state,
            block,
            symbols_left=symbols_left(self._config, self.state),
            seed=self._config.seed,
            temperature=self._config.temperature,
            filters=self._filters,
            allowed=self._allowed,
            automaton=self._automaton,
        )
        return block[:taken]


def symbols_left(config: SamplingConfig, state: WriterState) -> int:
    """How many symbols each sample may still write."""
    return NO_END if config.length == ENDLESS else config.length - state.position


def make_writer(
    network: Network,
    place: Place,
    config: SamplingConfig,
    allowed: NDArray[np.bool_] | None = None,
    automaton: Automaton | None = None,
) -> Writer:
    """The fastest writer for `network`; it goes on from `place`.

    allowed: (V,), False for symbols that never may be chosen. automaton: what may follow what; what
    was read before is not part of it.
    """
    state = WriterState.at(place.state, place.last, place.record_end, config.samples)
    mask = None if allowed is None else allowed.astype(np.uint8)
    if isinstance(network, NativeNetwork):
        return NativeWriter(network, state, config, mask, automaton)
    return NumpyWriter(network, state, config, mask, automaton)


def write_blocks(writer: Writer, length: int) -> Iterator[Blocks]:
    """Yield `length` steps in blocks: one symbol at first, then more at a time."""
    steps = 1
    while length != 0 and not writer.state.ended.all():
        steps = min(steps, LARGEST_BLOCK, length if length != ENDLESS else LARGEST_BLOCK)
        started = time.perf_counter()
        block = writer.write(steps)
        took = time.perf_counter() - started
        if len(block):
            yield block
        length -= steps if length != ENDLESS else 0
        if took < BLOCK_S / 2:
            steps *= 2
        elif took > BLOCK_S:
            steps = max(1, steps // 2)
