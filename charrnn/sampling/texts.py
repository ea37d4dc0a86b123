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
"""Why a text has ended, by the name of the option that ended it."""
REASONS: dict[int, Reason] = {STOP: "stop", LINES: "lines", MATCH: "match"}
"""The reason for each of the ends of an Automaton."""
CHUNK = 4096
"""Symbols of each text that are scored in one call."""


class Texts:
    """S texts, `config.samples` of them, that go on from one place; to be iterated over once.

    Each item is a list of S arrays: of every text the ids (n,) that may be shown now. The first
    item comes after one symbol; later ones take some 30 ms each.
    """

    def __init__(
        self,
        network: Network,
        vocabulary: Vocabulary,
        place: Place,
        config: SamplingConfig,
        keep: bool = False,
    ) -> None:
        """Prepare to write; with `keep` the texts stay in memory.

        `keep` is what whole, bits_per_char and place_after need. Raises UsageError for limits that
        no text in this vocabulary can keep.
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
        """What may be shown of every text after each block; at the end what was held back."""
        for block in write_blocks(self._writer, self._length):  # (n, S)
            yield self._showable(block)
        # A text that ended by its length may end in what only might have become a stop string.
        if self._automaton is not None and (self._writer.state.ended == GOES_ON).any():
            yield [
                held if ended == GOES_ON else held[:0]
                for held, ended in zip(self._held, self._writer.state.ended, strict=True)
            ]

    def _showable(self, block: Blocks) -> list[Ids]:
        """What may be shown of every text after `block` (n, S); the rest is held back."""
        columns: list[Ids] = [column[column >= 0] for column in block.T]  # S of (n,) or fewer
        if self._automaton is None:
            return columns
        shown = []
        for sample, state in enumerate(self._writer.state.automaton_state):
            if len(columns[sample]) == 0:  # it has ended before
                shown.append(columns[sample])
                continue
            ids = np.concatenate([self._held[sample], columns[sample]])
            count = len(ids) - int(self._automaton.held[state])
            shown.append(ids[:count])
            self._held[sample] = ids[count:]
        return shown

    def reasons(self) -> list[Reason]:
        """Why each of the S texts has ended; to be asked at the end."""
        written = self._writer.state
        reasons: list[Reason] = []
        for ended, state in zip(written.ended, written.automaton_state, strict=True):
            if ended == FINAL_STATE and self._automaton is not None:
                reasons.append(REASONS[int(self._automaton.final[state])])
            else:
                reasons.append("match" if ended == NOTHING_ALLOWED else "length")
        return reasons

    def whole(self) -> list[Ids]:
        """The ids of all that was shown of each text, S arrays (n,); to be asked at the end."""
        if not self._kept:
            return [held[:0] for held in self._held]
        return [np.concatenate(pieces) for pieces in zip(*self._kept, strict=True)]

    def place_after(self) -> Place:
        """The place at the end of what was shown of the first text."""
        return self._place.then(self._network, self.whole()[0])

    def bits_per_char(self) -> list[float | None]:
        """The cost of each text, in bits per character, as the model judges it; None if empty.

        Filters and limits, which leave the model less to choose from, are not taken into account.
        """
        texts = self.whole()
        return [
            bits(float(nats)) / len(ids) if len(ids) else None
            for nats, ids in zip(self._nats(texts), texts, strict=True)
        ]

    def _nats(self, texts: list[Ids]) -> NDArray[np.float64]:
        """The cost of each of S texts, in nats, (S,)."""
        lengths = np.array([len(ids) for ids in texts])
        columns = itertools.zip_longest(*texts, fillvalue=0)
        ids = np.array([[self._place.last] * len(texts), *columns], np.int64)  # (1 + T, S)
        ends_record = ids == (-1 if self._place.record_end is None else self._place.record_end)
        # A network cannot forget in the middle of a reading, so each begins behind a record's end.
        starts = {*range(0, len(ids) - 1, CHUNK), *np.flatnonzero(ends_record.any(axis=1)).tolist()}
        state = tuple(np.repeat(part, len(texts), axis=1) for part in self._place.state)
        nats = np.zeros(len(texts))
        for start, end in itertools.pairwise(sorted({*starts, len(ids) - 1})):
            forgets = ends_record[start][:, None]  # (S, 1)
            state = tuple(np.where(forgets, np.zeros_like(part), part) for part in state)
            costs: NDArray[np.float64]
            costs, state = self._network.score(ids[start:end], ids[start + 1 : end + 1], state)
            is_text = np.arange(start, end)[:, None] < lengths  # (n, S): not what fills a column
            nats += (costs * is_text).sum(axis=0)
        return nats
