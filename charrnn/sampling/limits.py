"""Stop strings, numbers of lines and an expression to match, as one automaton.

A state knows three things: how far the expression has been followed by what is surely text, which
beginning of a stop string the last symbols are (Aho and Corasick), and how many lines are full.
Only states that are met are made, and of these only those are entered from which an end can still
be reached.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import UsageError
from charrnn.sampling.automaton import FORBIDDEN, GOES_ON, LINES, MATCH, STOP, Automaton
from charrnn.sampling.config import ENDLESS, SamplingConfig
from charrnn.sampling.expression import DEAD, Expression

MOST_ENTRIES = 1_000_000
"""Of the table: what needs more is refused."""
UNREACHABLE = 2**31 - 1

Allowed = NDArray[np.bool_] | None
"""(V,): False for symbols that are never written; None: all are allowed."""


class Situation(NamedTuple):
    """A state of the automaton."""

    followed: int
    """State of the expression after all that is surely text."""
    begun: int
    """Which beginning of a stop string follows that."""
    lines: int
    """How many lines are full; stays 0 if nobody counts."""
    final: int = GOES_ON
    held: int = 0


class StopStrings:
    """Finds the stop strings in a text as it is written. Node 0: no beginning of any."""

    def __init__(self, strings: Iterable[tuple[int, ...]]) -> None:
        self.beginnings: list[tuple[int, ...]] = [()]
        """What was read at each node."""
        strings = set(strings)
        found = {string[:end] for string in strings for end in range(1, len(string) + 1)}
        self.beginnings += sorted(found, key=lambda beginning: (len(beginning), beginning))
        self._node = {beginning: node for node, beginning in enumerate(self.beginnings)}
        self.ending = [next(filter(strings.__contains__, _ends(b)), ()) for b in self.beginnings]
        """The longest stop string that ends at each node, or none."""

    def step(self, node: int, symbol: int) -> int:
        """The node of the longest beginning that ends with `symbol`."""
        ends = _ends((*self.beginnings[node], symbol))
        return next((self._node[end] for end in ends if end in self._node), 0)


class Limits:
    """Builds the automaton of a SamplingConfig for one vocabulary."""

    def __init__(self, config: SamplingConfig, vocabulary: Vocabulary, allowed: Allowed) -> None:
        self._allowed = np.ones(len(vocabulary), bool) if allowed is None else allowed
        self._stops = StopStrings(
            tuple(map(int, _spelled("--stop", stop, vocabulary, self._allowed)))
            for stop in config.stop
        )
        self._keep_stop = config.keep_stop
        self._lines = config.lines or 0
        self._newline = -1
        if self._lines:
            self._newline = int(_spelled("--lines", "\n", vocabulary, self._allowed)[0])
        self._expression = None
        if config.match is not None:
            self._expression = Expression(config.match, vocabulary)
        self._class_of_expression = [0] * len(vocabulary)
        if self._expression is not None:
            self._class_of_expression = self._expression.symbol_class.tolist()
        self._match = config.match
        self._length = config.length

    def automaton(self) -> Automaton:
        """Raises UsageError if nothing matches within the length, or the table were huge."""
        symbol_class, examples = self._classes()
        number: dict[Situation, int] = {Situation(0, 0, 0): 0}
        situations, rows = list(number), []
        for situation in situations:  # grows on the way
            row = []
            for symbol in examples:
                after = self._after(situation, symbol) if symbol >= 0 else None
                if after is not None and after not in number:
                    number[after] = len(situations)
                    situations.append(after)
                row.append(FORBIDDEN if after is None else number[after])
            rows.append(row)
            if len(rows) * len(examples) > MOST_ENTRIES:
                what = "--lines" if self._match is None else f"--match {self._match!r}"
                raise UsageError(f"{what}: too large; ask for fewer repetitions")
        next_state = np.array(rows, np.int32)
        final = np.array([each.final for each in situations], np.uint8)
        distance = self._distances(next_state, [self._may_end(each) for each in situations])
        next_state[distance[next_state] == UNREACHABLE] = FORBIDDEN
        if self._match is not None:
            whole = (distance == 0) & (final == GOES_ON) & (next_state == FORBIDDEN).all(axis=1)
            final[whole] = MATCH
        held = np.array([each.held for each in situations], np.int32)
        held[final == MATCH] = 0
        return Automaton(symbol_class, next_state, final, distance, held)

    def _classes(self) -> tuple[NDArray[np.int32], list[int]]:
        """The class of each symbol, (V,), and a symbol of each class, -1 for forbidden ones."""
        special = {self._newline, *(s for string in self._stops.beginnings for s in string)}
        found: dict[tuple[int, int], int] = {}
        symbol_class: list[int] = []
        examples: list[int] = []
        for symbol, kind in enumerate(self._class_of_expression):
            key = (kind, symbol if symbol in special else -1)
            if not self._allowed[symbol]:
                key = (-1, -1)
            if key not in found:
                found[key] = len(examples)
                examples.append(-1 if key == (-1, -1) else symbol)
            symbol_class.append(found[key])
        return np.array(symbol_class, np.int32), examples

    def _after(self, situation: Situation, symbol: int) -> Situation | None:
        """Where `symbol` leads, or None if it cannot come."""
        followed, begun, lines, final, _ = situation
        if final != GOES_ON:
            return None
        written = (*self._stops.beginnings[begun], symbol)
        begun = self._stops.step(begun, symbol)
        stop = self._stops.ending[begun]
        held = len(stop or self._stops.beginnings[begun])
        followed = self._follow(followed, written[: len(written) - held])
        if followed == DEAD:
            return None
        if stop:
            kept = stop if self._keep_stop else ()
            return self._ended(Situation(followed, 0, 0, STOP, held - len(kept)), kept)
        lines += symbol == self._newline
        if self._lines and lines == self._lines:
            return self._ended(Situation(followed, 0, 0, LINES), self._stops.beginnings[begun])
        return Situation(followed, begun, lines, GOES_ON, 0 if self._keep_stop else held)

    def _ended(self, situation: Situation, rest: tuple[int, ...]) -> Situation | None:
        """The final situation after `rest` too, or None if the text does not match there."""
        followed = self._follow(situation.followed, rest)
        return situation._replace(followed=0) if self._accepts(followed) else None

    def _may_end(self, situation: Situation) -> bool:
        """Whether the text is whole as it is, stop string or not."""
        if situation.final != GOES_ON:
            return True
        rest = self._stops.beginnings[situation.begun]
        return self._accepts(self._follow(situation.followed, rest))

    def _follow(self, state: int, symbols: Iterable[int]) -> int:
        if self._expression is not None:
            for symbol in symbols:
                if state != DEAD:
                    state = self._expression.step(state, self._class_of_expression[symbol])
        return state

    def _accepts(self, state: int) -> bool:
        return state != DEAD and (self._expression is None or self._expression.accepts(state))

    def _distances(self, next_state: NDArray[np.int32], ends: list[bool]) -> NDArray[np.int32]:
        """(S + 1,) but for the last: symbols to the nearest end, or UNREACHABLE."""
        before: list[list[int]] = [[] for _ in ends]
        for state, row in enumerate(next_state.tolist()):
            for after in set(row) - {FORBIDDEN}:
                before[after].append(state)
        distance = np.full(len(ends), UNREACHABLE, np.int32)
        waiting = deque(state for state, end in enumerate(ends) if end)
        distance[list(waiting)] = 0
        while waiting:
            state = waiting.popleft()
            for each in before[state]:
                if distance[each] == UNREACHABLE:
                    distance[each] = distance[state] + 1
                    waiting.append(each)
        if distance[0] == UNREACHABLE:
            raise UsageError(
                f"--match {self._match!r}: this model's characters cannot spell it "
                "(`charrnn info` shows them)"
            )
        if self._length != ENDLESS and distance[0] > self._length:
            raise UsageError(
                f"--length {self._length}: --match needs at least {distance[0]} characters"
            )
        return distance


def allowed_symbols(config: SamplingConfig, vocabulary: Vocabulary) -> Allowed:
    """What config.forbid leaves. Raises UsageError if that is nothing."""
    forbidden = vocabulary.encode(config.forbid, unknown="skip")
    if len(forbidden) == 0:
        return None
    allowed = np.ones(len(vocabulary), bool)
    allowed[forbidden] = False
    if not allowed.any():
        raise UsageError("--forbid: that is every character that the model knows")
    return allowed


def make_automaton(
    config: SamplingConfig, vocabulary: Vocabulary, allowed: Allowed
) -> Automaton | None:
    """The automaton of stop, lines and match; None where there is no limit but the length."""
    if not config.stop and config.lines is None and config.match is None:
        return None
    return Limits(config, vocabulary, allowed).automaton()


def _spelled(
    option: str, text: str, vocabulary: Vocabulary, allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The ids of a text that the model shall be able to write."""
    ids = vocabulary.encode(text, unknown="skip").astype(np.int64)
    shown = "" if option == "--lines" else f" {text!r}"
    unknown = next((c for c in text if len(vocabulary.encode(c, unknown="skip")) == 0), None)
    if unknown is not None:
        raise UsageError(f"{option}{shown}: the model does not know {unknown!r}, so it never ends")
    if not allowed[ids].all():
        raise UsageError(f"{option}{shown}: --forbid rules it out, so it never ends")
    return ids


def _ends(symbols: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All ends of `symbols` but the empty one, the longest first."""
    return (symbols[start:] for start in range(len(symbols)))
