"""Texts on their way to a reader: nothing is shown that a stop string may still take back."""

import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.inference.network import Network
from charrnn.inference.scoring import bits
from charrnn.inference.writer_state import FINAL_STATE, GOES_ON, NOTHING_ALLOWED
from charrnn.sampling.automaton import LINES, MATCH, STOP
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.limits import allowed_symbols, make_automaton
from charrnn.sampling.place import Place
from charrnn.sampling.writers import Blocks, make_writer, write_blocks

Reason = Literal["length", "stop", "lines", "match"]
REASONS: dict[int, Reason] = {STOP: "stop", LINES: "lines", MATCH: "match"}
CHUNK = 4096
"""Symbols of each sample that are scored at once."""


class Texts:
    """`config.samples` texts that go on from one place; to be iterated over once.

    Each item is a list of the ids of every text, (n,) each, that may be shown now. The first comes
    after one symbol; later ones take some 30 ms each.
    """

    def __init__(
        self,
        network: Network,
        vocabulary: Vocabulary,
        place: Place,
        config: SamplingConfig,
        keep: bool = False,
    ) -> None:
        """keep: so that whole, bits_per_char and place_after can be asked at the end.

        Raises UsageError for limits that this vocabulary cannot keep.
        """
        self._network = network
        self._place = place
        self._length = config.length
        allowed = allowed_symbols(config, vocabulary)
        self._automaton = make_automaton(config, vocabulary, allowed)
        self._writer = make_writer(network, place, config, allowed, self._automaton)
        self._kept: list[list[Ids]] | None = [] if keep else None
        self._held: list[Ids] = [np.empty(0, np.int32)] * config.samples

    def __iter__(self) -> Iterator[list[Ids]]:
        for shown in self._pieces():
            if self._kept is not None:
                self._kept.append(shown)
            yield shown

    def _pieces(self) -> Iterator[list[Ids]]:
        for block in write_blocks(self._writer, self._length):  # (n, S)
            yield self._showable(block)
        if self._automaton is not None and (self._writer.state.ended == GOES_ON).any():
            yield [
                held if ended == GOES_ON else held[:0]
                for held, ended in zip(self._held, self._writer.state.ended, strict=True)
            ]

    def _showable(self, block: Blocks) -> list[Ids]:
        columns: list[Ids] = [column[column >= 0] for column in block.T]
        if self._automaton is None:
            return columns
        shown = []
        for sample, state in enumerate(self._writer.state.automaton_state):
            if len(columns[sample]) == 0:  # it has ended before
                shown.append(columns[sample])
                continue
            ids = np.concatenate([self._held[sample], columns[sample]])
            free = len(ids) - int(self._automaton.held[state])
            shown.append(ids[:free])
            self._held[sample] = ids[free:]
        return shown

    def reasons(self) -> list[Reason]:
        """Why each text has ended; to be asked at the end."""
        written = self._writer.state
        found: list[Reason] = []
        for ended, state in zip(written.ended, written.automaton_state, strict=True):
            if ended == FINAL_STATE and self._automaton is not None:
                found.append(REASONS[int(self._automaton.final[state])])
            else:
                found.append("match" if ended == NOTHING_ALLOWED else "length")
        return found

    def whole(self) -> list[Ids]:
        """All that was shown of each text."""
        if not self._kept:
            return [held[:0] for held in self._held]
        return [np.concatenate(pieces) for pieces in zip(*self._kept, strict=True)]

    def place_after(self) -> Place:
        """The place at the end of what was shown of the first text."""
        return self._place.then(self._network, self.whole()[0])

    def bits_per_char(self) -> list[float | None]:
        """What the model says that each text costs, without filters and limits; None if empty."""
        shown = self.whole()
        lengths = np.array([len(ids) for ids in shown])
        columns = itertools.zip_longest(*shown, fillvalue=0)
        ids = np.array([[self._place.last] * len(shown), *columns], np.int64)  # (T + 1, S)
        record_end = -1 if self._place.record_end is None else self._place.record_end
        nats = np.zeros(len(shown))
        state = tuple(np.repeat(part, len(shown), axis=1) for part in self._place.state)
        forgets = ids == record_end  # (T + 1, S)
        borders = {*range(0, len(ids) - 1, CHUNK), *np.flatnonzero(forgets.any(axis=1)).tolist()}
        for start, end in itertools.pairwise(sorted({*borders, len(ids) - 1})):
            state = tuple(np.where(forgets[start][:, None], np.float32(0), part) for part in state)
            costs: NDArray[np.float64]
            costs, state = self._network.score(ids[start:end], ids[start + 1 : end + 1], state)
            nats += (costs * (np.arange(start, end)[:, None] < lengths)).sum(axis=0)
        each = zip(nats, lengths, strict=True)
        return [bits(float(cost)) / int(n) if n else None for cost, n in each]
