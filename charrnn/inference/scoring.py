"""How many nats each character of a text costs a model. No torch here; training uses it too.

A recurrent net reads one character after another, which is slow. Here a text is cut into parallel
streams, each started from zero; then every stream is started again from the state in which its
predecessor ended, until those states no longer change. At that fixed point the result is that of
reading the text from its start to its end with the state carried. A net forgets, so a second
reading usually falls in with the first after a few hundred characters and can stop there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.encoded import Split
from charrnn.corpus.records import Records
from charrnn.corpus.streams import Streams
from charrnn.corpus.vocabulary import Ids
from charrnn.inference.network import Network, State
from charrnn.model.cells import CELLS
from charrnn.model.config import ModelConfig

CHUNK = 128
"""Steps between two comparisons of states."""
STREAMS = 64
"""Streams read side by side, where the text is long enough."""
WINDOW = 256
"""Characters in a window that is read without what came before it."""
READING = 1024
"""Characters that a stream reads at least where only the state at the end is wanted."""
READINGS = 3
"""How often a prime is read in parallel before that is given up: a net that does not forget, or
whose state is chaotic, is read from start to end."""
TOLERANCE = 1e-5
"""States count as the same if the outputs of every unit differ by no more than this, or where they
exceed 1 by this part of them, and the tanh of what else is carried does. An LSTM's cell state is
compared by its tanh because that is all it shows; far from zero its size takes long to agree."""


def bits(nats: float) -> float:
    """Nats as bits."""
    return nats / math.log(2)


@dataclass(frozen=True)
class Score:
    """The cost of a text."""

    nats: float
    """Total, over all predicted characters."""
    characters: int
    """How many were predicted: every one but the first."""

    @property
    def nats_per_char(self) -> float:
        """The mean cost of a character, in nats."""
        return self.nats / self.characters

    @property
    def bits_per_char(self) -> float:
        """The mean cost of a character, in bits."""
        return bits(self.nats_per_char)


@dataclass(frozen=True)
class Evaluation:
    """A text judged in two ways."""

    carried: Score
    """With the state carried from start to end: what a recurrent net can do."""
    windows: Score
    """In windows of WINDOW characters, each from the zero state: what a model with a fixed context
    can be compared with."""


class WindowScorer(Protocol):
    """A model as scoring sees it."""

    config: ModelConfig

    def initial_state(self, batch_size: int) -> State:
        """Zeros, each (L, B, H)."""

    def score(
        self, inputs: NDArray[Any], targets: NDArray[Any], state: State
    ) -> tuple[NDArray[np.float64], State]:
        """Read inputs (T, B); return the nats of targets (T, B) and the state after the last."""


def evaluate(scorer: WindowScorer, ids: Split) -> Evaluation:
    """Judge ids (N,), N >= 2, in both ways. Records, each read from zero, are both at once."""
    if isinstance(ids, Streams):
        return Evaluation(_score_streams(scorer, ids), _score_streams(scorer, ids, WINDOW))
    carried = score_carried(scorer, ids)
    return Evaluation(carried, carried if isinstance(ids, Records) else score_windows(scorer, ids))


def score_carried(scorer: WindowScorer, ids: Split, streams: int = STREAMS) -> Score:
    """The cost of ids (N,), N >= 2, read from start to end with the state carried throughout.

    Records are each read from zero, whatever their order; and so are streams, side by side.
    """
    if isinstance(ids, Records):
        return _score_records(scorer, ids, streams)
    if isinstance(ids, Streams):
        return _score_streams(scorer, ids)
    total = len(ids) - 1
    streams = max(1, min(streams, total // CHUNK))
    length = _stream_length(scorer.config, total, streams)
    inputs = ids[: streams * length].reshape(streams, length).T  # (S, B)
    targets = ids[1 : streams * length + 1].reshape(streams, length).T  # (S, B)
    nats = [0.0] * math.ceil(length / CHUNK)

    def advance(steps: slice, state: State) -> State:
        each, state = scorer.score(inputs[steps], targets[steps], state)
        nats[steps.start // CHUNK] = float(each.sum())
        return state

    end = _settled(advance, length, scorer.initial_state(streams))
    assert end is not None
    rest_nats, _ = scorer.score(
        ids[streams * length : total, None],  # (fewer than `streams`, 1)
        ids[streams * length + 1 :, None],
        end,
    )
    return Score(sum(nats) + float(rest_nats.sum()), total)


def read_carried(network: Network, ids: Ids, streams: int = STREAMS) -> State:
    """The state, each part (L, 1, H), after ids (N,) read from start to end."""
    streams = min(streams, len(ids) // READING)
    if streams < 2:
        return network.read(ids[:, None], network.initial_state(1))
    length = _stream_length(network.config, len(ids), streams)
    inputs = ids[: streams * length].reshape(streams, length).T  # (S, B)
    end = _settled(
        lambda steps, state: network.read(inputs[steps], state),
        length,
        network.initial_state(streams),
        READINGS,
    )
    if end is None:
        return network.read(ids[:, None], network.initial_state(1))
    return network.read(ids[streams * length :, None], end)


def _settled(
    advance: Callable[[slice, State], State], length: int, state: State, most: int | None = None
) -> State | None:
    """Read `length` steps of all streams, again and again until nothing changes any more.

    `advance` reads a few steps. Returns the state of the last stream at its end, (L, 1, H), or None
    if it was not settled after `most` readings.
    """
    chunks = range(0, length, CHUNK)
    ends: dict[int, State] = {}  # by chunk
    settled = False
    readings = 0
    while not settled:
        if readings == most:
            return None
        readings += 1
        for index, start in enumerate(chunks):
            state = advance(slice(start, start + CHUNK), state)
            if _is_compared(index) or index == len(chunks) - 1:
                settled = _same(state, ends.get(index, ()))
                ends[index] = state
            if settled:
                break
        state = _shifted(ends[len(chunks) - 1])
    return tuple(part[:, -1:] for part in ends[len(chunks) - 1])


def score_windows(
    scorer: WindowScorer, ids: Ids, *, window: int = WINDOW, streams: int = STREAMS
) -> Score:
    """The cost of ids (N,), N >= 2, in windows of `window` characters, each from the zero state.

    This is how a model with a fixed context is usually evaluated. Every character but the first is
    predicted once; the last window may be shorter.
    """
    total = len(ids) - 1
    whole = total // window
    nats = 0.0
    for first in range(0, whole, streams):
        count = min(streams, whole - first)
        places = np.arange(first, first + count) * window + np.arange(window)[:, None]  # (T, B)
        each, _ = scorer.score(ids[places], ids[places + 1], scorer.initial_state(count))
        nats += float(each.sum())
    rest = ids[whole * window :, None]  # (fewer than `window` + 1, 1)
    each, _ = scorer.score(rest[:-1], rest[1:], scorer.initial_state(1))
    return Score(nats + float(each.sum()), total)


def score_sampled(
    scorer: WindowScorer,
    ids: Split,
    characters: int,
    *,
    warm_up: int = CHUNK,
    streams: int = STREAMS,
) -> Score:
    """An estimate from about `characters` of ids, in streams spread evenly over them.

    Each stream first reads `warm_up` characters that are not counted. A text that is not much
    longer than that is scored exactly instead. Of records, which are shuffled, it takes the first;
    of streams, which are spread already, the beginnings.
    """
    if isinstance(ids, Records):
        return _score_records(scorer, ids[:characters], streams)
    if isinstance(ids, Streams):
        return _score_streams(scorer, ids[:characters])
    total = len(ids) - 1
    length = math.ceil(characters / streams)
    if (warm_up + length) * streams > total:
        return score_carried(scorer, ids, streams)
    starts = np.linspace(0, total - warm_up - length, streams).astype(np.int64)
    places = starts + np.arange(warm_up + length)[:, None]  # (warm_up + length, B)
    state = scorer.initial_state(streams)
    nats = 0.0
    for start in range(0, warm_up + length, CHUNK):
        steps = places[start : start + CHUNK]
        each, state = scorer.score(ids[steps], ids[steps + 1], state)
        nats += float(each[max(0, warm_up - start) :].sum())
    return Score(nats, length * streams)


def _score_records(scorer: WindowScorer, records: Records, streams: int) -> Score:
    nats = 0.0
    for numbers in records.batches(streams):
        state = scorer.initial_state(len(numbers))
        for start in range(0, int(records.lengths[numbers].max()), CHUNK):
            inputs, targets = records.window(numbers, start, CHUNK)
            counted = targets >= 0
            each, state = scorer.score(inputs, np.where(counted, targets, 0), state)
            nats += float(each[counted].sum())
    return Score(nats, len(records))


def _score_streams(scorer: WindowScorer, streams: Streams, window: int | None = None) -> Score:
    """Every stream from the zero state with the state carried, or in windows that each begin so."""
    nats = 0.0
    state = scorer.initial_state(streams.count)
    for start in range(0, streams.steps, window or CHUNK):
        each, end = scorer.score(*streams.window(start, window or CHUNK), state)
        nats += float(each.sum())
        if window is None:
            state = end
    return Score(nats, len(streams))


def _stream_length(config: ModelConfig, total: int, streams: int) -> int:
    """What each stream reads of `total`; several begin where the cell's state begins anyway."""
    length = total // streams
    return length if streams == 1 else length - length % CELLS[config.cell].period


def _is_compared(chunk: int) -> bool:
    """Whether to remember the states behind this chunk: the first 64, then every 64th.

    Early ones are where a second reading falls in with the first; for all of a long text they would
    take more memory than the text.
    """
    return chunk < 64 or chunk % 64 == 0


def _same(state: State, before: State) -> bool:
    """Whether `state` is where the reading before this one was; () where there was none."""
    if not before:
        return False
    (output, output_before), *others = zip(state, before, strict=True)
    allowed = TOLERANCE * np.maximum(1, np.abs(output_before))
    return bool((np.abs(output - output_before) <= allowed).all()) and all(
        np.abs(np.tanh(new) - np.tanh(old)).max() <= TOLERANCE for new, old in others
    )


def _shifted(ends: State) -> State:
    """Each stream begins where the one before it ended; the first begins with nothing."""
    return tuple(np.concatenate([np.zeros_like(p[:, :1]), p[:, :-1]], axis=1) for p in ends)
