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

from charrnn.inference.native_network import NativeNetwork, as_native_automaton
from charrnn.inference.network import Network
from charrnn.sampling.automaton import FORBIDDEN, Automaton
from charrnn.sampling.config import ENDLESS, SamplingConfig
from charrnn.sampling.filters import choose
from charrnn.sampling.place import Place

Blocks = NDArray[np.int32]
"""Ids (n, S) of n steps of S samples, -1 where a sample has ended."""

BLOCK_S = 0.03
"""Blocks grow until one takes about this long, so that text streams smoothly."""
LARGEST_BLOCK = 65536
NO_END = 2**62
"""Symbols that are left where no length was given."""

GOES_ON, FINAL_STATE, NOTHING_ALLOWED = range(3)
"""Why a sample has ended: not yet; the automaton is satisfied; no symbol was allowed."""


class Pen:
    """Where each of S samples stands. Writers change it in place."""

    def __init__(self, place: Place, samples: int) -> None:
        """All samples go on from `place`."""
        self.state = tuple(np.repeat(p, samples, axis=1) for p in place.state)  # each (L, S, H)
        self.last = np.full(samples, place.last, np.int64)
        self.automaton_state = np.zeros(samples, np.int32)
        self.ended = np.zeros(samples, np.int8)
        self.position = 0
        self.record_end = -1 if place.record_end is None else place.record_end


class Writer(Protocol):
    """Writes a few symbols of every sample."""

    pen: Pen

    def write(self, steps: int) -> Blocks:
        """The next ids, (n, S) with n <= steps, fewer only where all samples have ended."""


class NumpyWriter:
    """Step by step, with any Network."""

    def __init__(
        self,
        network: Network,
        pen: Pen,
        config: SamplingConfig,
        allowed: NDArray[np.uint8] | None = None,
        automaton: Automaton | None = None,
    ) -> None:
        self.pen = pen
        self._network = network
        self._config = config
        self._allowed = allowed
        self._automaton = automaton
        self._random = [
            np.random.Generator(np.random.Philox(key=config.seed, counter=[0, 0, sample, 0]))
            for sample in range(len(pen.last))
        ]

    def write(self, steps: int) -> Blocks:
        """See Writer."""
        pen = self.pen
        block = np.full((steps, len(pen.last)), -1, np.int32)
        for step in range(steps):
            if pen.ended.all():
                return block[:step]
            logits, pen.state = self._network.step(pen.last, pen.state)  # (S, V)
            room = symbols_left(self._config, pen) - 1
            for sample in map(int, np.flatnonzero(pen.ended == GOES_ON)):
                block[step, sample] = self._choose(sample, logits[sample], room)
            pen.position += 1
        return block

    def _choose(self, sample: int, logits: NDArray[np.float32], room: int) -> int:
        """The next symbol of `sample`, which may write `room` more after it."""
        pen, automaton = self.pen, self._automaton
        allowed = self._allowed
        if automaton is not None:
            following = automaton.next_state[pen.automaton_state[sample], automaton.symbol_class]
            may_follow = (following != FORBIDDEN) & (automaton.distance[following] <= room)
            allowed = may_follow if allowed is None else may_follow & (allowed != 0)
        symbol = choose(logits, self._config, self._random[sample].random(), allowed)
        if symbol < 0:
            pen.ended[sample] = NOTHING_ALLOWED
            return symbol
        pen.last[sample] = symbol
        if symbol == pen.record_end:
            for part in pen.state:
                part[:, sample] = 0
        if automaton is not None:
            pen.automaton_state[sample] = following[symbol]
            if automaton.final[following[symbol]]:
                pen.ended[sample] = FINAL_STATE
        return symbol


class NativeWriter:
    """The loop in C++, a block at a time."""

    def __init__(
        self,
        network: NativeNetwork,
        pen: Pen,
        config: SamplingConfig,
        allowed: NDArray[np.uint8] | None = None,
        automaton: Automaton | None = None,
    ) -> None:
        self.pen = pen
        self._network = network
        self._config = config
        self._filters = (config.temperature, config.top_k, config.top_p, config.min_p)
        self._allowed = allowed
        self._automaton = None
        if automaton is not None:
            self._automaton = as_native_automaton(
                automaton.symbol_class, automaton.next_state, automaton.final, automaton.distance
            )
        self._numbers = np.arange(len(pen.last), dtype=np.uint64)

    def write(self, steps: int) -> Blocks:
        """See Writer."""
        pen = self.pen
        block = np.empty((steps, len(pen.last)), np.int32)
        taken = self._network.write(
            pen.state, pen.last, pen.automaton_state, pen.ended,
            self._config.seed, self._numbers, pen.position, symbols_left(self._config, pen),
            *self._filters, self._allowed, self._automaton, pen.record_end, block,
        )  # fmt: skip
        pen.position += taken
        return block[:taken]


def symbols_left(config: SamplingConfig, pen: Pen) -> int:
    """How many symbols each sample may still write."""
    return NO_END if config.length == ENDLESS else config.length - pen.position


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
    pen = Pen(place, config.samples)
    mask = None if allowed is None else allowed.astype(np.uint8)
    if isinstance(network, NativeNetwork):
        return NativeWriter(network, pen, config, mask, automaton)
    return NumpyWriter(network, pen, config, mask, automaton)


def write_blocks(writer: Writer, length: int) -> Iterator[Blocks]:
    """Yield `length` steps in blocks: one symbol at first, then more at a time."""
    steps = 1
    while length != 0 and not writer.pen.ended.all():
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
