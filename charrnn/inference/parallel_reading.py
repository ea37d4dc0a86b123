"""Reading one long text in parallel, with the same end as from its first symbol to its last.

A recurrent net reads one symbol after another, which is slow. Here a text is cut into streams that
are read side by side, each from the zero state. Then every stream is read again from the state in
which the stream before it ended, until those states no longer change. At that fixed point all of
them are what one reading with the state carried gives. A net forgets, so the second reading usually
falls in with the first after a few hundred symbols, and can stop there.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from charrnn.corpus.contiguous import cut_into_streams
from charrnn.corpus.vocabulary import Ids
from charrnn.inference.network import Network, State
from charrnn.model.cells import CELLS
from charrnn.model.config import ModelConfig

CHUNK = 128
"""Steps of all streams that are read between two comparisons of states."""
STREAMS = 64
"""How many streams are read side by side, where the text is long enough."""
READING = 1024
"""Symbols that a stream has at least, where only the state at the end of the text is wanted."""
MOST_READINGS = 3
"""How often a prime is read in parallel before that is given up. A net that does not forget, or
whose state is chaotic, is then read from start to end."""
TOLERANCE = 1e-5
"""How far two states may differ and still count as the same. The outputs of a unit may differ by
this much, or by this part of an output that exceeds 1. Of what else is carried the tanh may differ
by this much: an LSTM shows its cell state only through its tanh, and far from zero the cell state
itself takes long to agree."""
_REMEMBERED = 64
"""The states behind the first 64 chunks are remembered, and behind every 64th chunk after them."""

Advance: TypeAlias = Callable[[slice, State], State]
"""Reads a slice of the steps of all streams, from a state that it is given to the one returned."""


def read_carried(network: Network, ids: Ids, streams: int = STREAMS) -> State:
    """The state, each part (L, 1, H), after ids (N,) read from the zero state, start to end."""
    streams = min(streams, len(ids) // READING)
    if streams < 2:
        return network.read(ids[:, None], network.initial_state(1))
    length = stream_length(network.config, len(ids), streams)
    inputs = cut_into_streams(ids, streams, length).T  # (S, B)

    def advance(steps: slice, state: State) -> State:
        return network.read(inputs[steps], state)

    end = read_until_settled(advance, length, network.initial_state(streams), MOST_READINGS)
    if end is None:
        return network.read(ids[:, None], network.initial_state(1))
    return network.read(ids[streams * length :, None], end)


def stream_length(config: ModelConfig, num_symbols: int, streams: int) -> int:
    """How many of `num_symbols` symbols each of `streams` streams reads; a few are left over.

    Where the cell's state begins afresh every so many steps, each of several streams is a multiple
    of that long, so that it begins where the state does.
    """
    length = num_symbols // streams
    return length if streams == 1 else length - length % CELLS[config.cell].period


def read_until_settled(
    advance: Advance, length: int, state: State, most_readings: int | None = None
) -> State | None:
    """Read `length` steps of all streams again and again, until their states no longer change.

    `state` is the zero state of B streams. Returns the state at the end of
    the last stream, each part (L, 1, H); or None if it still changed in the last of
    `most_readings`.
    """
    last_chunk = (length - 1) // CHUNK
    states: dict[int, State] = {}  # by chunk, the state behind it in the last reading
    readings = 0
    while most_readings is None or readings < most_readings:
        readings += 1
        if _read_once(advance, length, state, states):
            return tuple(part[:, -1:] for part in states[last_chunk])
        state = _shifted(states[last_chunk])
    return None


def _read_once(advance: Advance, length: int, state: State, states: dict[int, State]) -> bool:
    """Read all streams from `state`, until their states equal those of the reading before.

    `states` holds what that reading left, by chunk. Returns whether they became equal. Brings
    `states` up to date as far as it reads.
    """
    starts = range(0, length, CHUNK)
    for chunk, start in enumerate(starts):
        state = advance(slice(start, start + CHUNK), state)
        if _is_remembered(chunk) or chunk == len(starts) - 1:
            settled = chunk in states and _is_same(state, states[chunk])
            states[chunk] = state
            if settled:
                return True
    return False


def _is_remembered(chunk: int) -> bool:
    """Whether the state behind this chunk is remembered, to be compared in the next reading.

    A second reading falls in with the first in an early chunk; to remember all of them would take
    more memory than a long text.
    """
    return chunk < _REMEMBERED or chunk % _REMEMBERED == 0


def _is_same(state: State, before: State) -> bool:
    """Whether `state` differs from `before` by no more than TOLERANCE.

    Whole numbers, the symbols that n-gram experts remember, may not differ at all.
    """
    (output, output_before), *others = zip(state, before, strict=True)
    allowed = TOLERANCE * np.maximum(1, np.abs(output_before))
    return bool((np.abs(output - output_before) <= allowed).all()) and all(
        np.array_equal(new, old)
        if new.dtype.kind == "i"
        else np.abs(np.tanh(new) - np.tanh(old)).max() <= TOLERANCE
        for new, old in others
    )


def _shifted(ends: State) -> State:
    """The state (L, B, H) from which each stream begins where the stream before it ended.

    The first stream begins with the zero state.
    """
    return tuple(np.concatenate([np.zeros_like(p[:, :1]), p[:, :-1]], axis=1) for p in ends)
