"""What the symbols of a text cost a model, in nats: exactly, or estimated from some of them.

There is no torch here: a model in training is scored through the `Scorer` that it offers.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.split import Split
from charrnn.corpus.vocabulary import Ids
from charrnn.corpus.windows import Window
from charrnn.inference.held_out import HeldOutNetwork
from charrnn.inference.network import State
from charrnn.inference.parallel_reading import CHUNK, STREAMS, read_until_settled, stream_length
from charrnn.model.config import ModelConfig

ENOUGH_READINGS = 4
"""How often an estimate reads a text in parallel, at most. The rounded states of an int8 network
may never settle; but in the fourth reading each stream has three streams of text behind it."""
WINDOW = 256
"""Symbols of a window that is read without what came before it."""


def bits(nats: float) -> float:
    """Convert nats to bits."""
    return nats / math.log(2)


@dataclass(frozen=True)
class Score:
    """The cost of a text."""

    nats: float
    """The cost of all predicted characters together, in nats."""
    characters: int
    """How many characters were predicted. The first of a contiguous text is not."""

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
    """The cost of one text, read in two ways."""

    carried: Score
    """The cost with the state carried from start to end, which is what a recurrent net can do."""
    windows: Score
    """The cost in windows of WINDOW characters, each read from the zero state, which is what a
    model with a fixed context can be compared with."""
    held_out: bool = False
    """Whether the text is one whose n-grams the model has counted, and each symbol was judged
    without the counts of its own fold."""


class Scorer(Protocol):
    """A model that can say what each symbol costs it."""

    config: ModelConfig

    def initial_state(self, batch_size: int) -> State:
        """The state of streams that have read nothing: zeros (see State)."""

    def score(
        self, inputs: NDArray[Any], targets: NDArray[Any], state: State
    ) -> tuple[NDArray[np.float64], State]:
        """Read inputs (T, B); return the nats (T, B) of targets (T, B) and the state after them."""


def evaluate(scorer: Scorer | HeldOutNetwork, split: Split) -> Evaluation:
    """The exact cost of `split`, with the state carried and in windows.

    Where the state may not be reset, as in records, the first cost stands for both. A
    HeldOutNetwork is judged on the whole of its training text.
    """
    carried = score_carried(scorer, split)
    windows = score_windows(scorer, split) if split.may_reset else carried
    return Evaluation(carried, windows, held_out=isinstance(scorer, HeldOutNetwork))


def score_carried(scorer: Scorer | HeldOutNetwork, split: Split, streams: int = STREAMS) -> Score:
    """The exact cost of `split`, with the state carried from the start of each text to its end.

    At most `streams` streams are read side by side; where the split is parallel streams, all are.
    """
    windows = split.carried_windows(CHUNK, streams)
    if windows is None:
        return _score_one_text(scorer, split.ids, streams)
    return _score_in_turn(scorer, windows)


def score_windows(
    scorer: Scorer | HeldOutNetwork,
    split: Split,
    *,
    window: int = WINDOW,
    streams: int = STREAMS,
) -> Score:
    """The exact cost of `split` in windows of `window` symbols, each read from the zero state.

    This is how a model with a fixed context is usually evaluated.
    """
    return _score_in_turn(scorer, split.separate_windows(window, streams))


def score_sampled(
    scorer: Scorer,
    split: Split,
    characters: int,
    *,
    warm_up: int = CHUNK,
    streams: int = STREAMS,
) -> Score:
    """An estimate of the cost of `split` from about `characters` of its symbols.

    A stream that begins in the middle of a text first reads `warm_up` symbols that do not count. A
    text that is not much longer than the sample is scored whole instead, and exactly if its states
    settle in ENOUGH_READINGS.
    """
    windows = split.sampled_windows(characters, warm_up, CHUNK, streams)
    if windows is None:
        return _score_one_text(scorer, split.ids, streams, ENOUGH_READINGS)
    return _score_in_turn(scorer, windows)


def _score_in_turn(scorer: Scorer | HeldOutNetwork, windows: Iterable[Window]) -> Score:
    """The cost of `windows`, one after another, with the state carried into all but fresh ones."""
    nats, characters = 0.0, 0
    state: State = ()
    for window in windows:
        if window.fresh:
            state = scorer.initial_state(window.inputs.shape[1])
        nats_of_window, state = _score_window(scorer, window, state)
        nats += nats_of_window
        characters += window.characters
    return Score(nats, characters)


def _score_window(
    scorer: Scorer | HeldOutNetwork, window: Window, state: State
) -> tuple[float, State]:
    """(the nats of all targets of `window` that count, the state after it)."""
    counted = window.targets >= 0  # (T, B)
    read = window.inputs, np.where(counted, window.targets, 0), state
    if isinstance(scorer, HeldOutNetwork):
        assert window.folds is not None
        nats, state = scorer.score(*read, window.folds)  # (T, B)
    else:
        nats, state = scorer.score(*read)  # (T, B)
    return float(nats[counted].sum()), state


def _score_one_text(
    scorer: Scorer | HeldOutNetwork, ids: Ids, streams: int, most_readings: int | None = None
) -> Score:
    """The cost of the contiguous text ids (N,), N >= 2, read in parallel.

    What is left over behind the streams is read after the last of them. The cost is exact unless
    the states have not settled after `most_readings`.
    """
    text, num_targets = ContiguousText(ids), len(ids) - 1
    streams = max(1, min(streams, num_targets // CHUNK))
    length = stream_length(scorer.config, num_targets, streams)
    starts = np.arange(streams) * length  # (B,)
    nats = [0.0] * math.ceil(length / CHUNK)  # by chunk, as it was read last

    last: State = scorer.initial_state(streams)  # behind the chunk that was read last

    def advance(steps: slice, state: State) -> State:
        nonlocal last
        places = starts + np.arange(steps.start, min(steps.stop, length))[:, None]  # (T, B)
        nats[steps.start // CHUNK], last = _score_window(scorer, text.window(places), state)
        return last

    end = read_until_settled(advance, length, last, most_readings)
    if end is None:  # an unsettled reading goes on to the end of all streams
        end = tuple(part[:, -1:] for part in last)
    left_over = np.arange(streams * length, num_targets)[:, None]  # (T, 1), where T may be 0
    nats_left_over, _ = _score_window(scorer, text.window(left_over), end)
    return Score(sum(nats) + nats_left_over, num_targets)
