"""Stop strings, numbers of lines and an expression to match, as one automaton.

A state knows three things: how far the expression has been followed by what is surely text, which
prefix of a stop string the last symbols are (Aho & Corasick 1975), and how many lines are full.
Only states that can be met are made, and of these only those are entered from which an end can
still be reached.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import UsageError
from charrnn.sampling.automaton import FORBIDDEN, GOES_ON, LINES, MATCH, STOP, Automaton
from charrnn.sampling.config import ENDLESS, SamplingConfig
from charrnn.sampling.expression import DEAD, Expression, too_large

MOST_ENTRIES = 1_000_000
"""Most entries of the table, states times classes of symbols; limits that need more are refused."""
UNREACHABLE = 2**31 - 1
"""Distance of a state from which the text can never end."""

Allowed: TypeAlias = NDArray[np.bool_] | None
"""Whether each symbol may be written, (V,); None: every one may."""


class Situation(NamedTuple):
    """What a state of the automaton stands for: what was written, as far as it matters."""

    matched: int
    """State of the expression after all that is surely text; 0 where there is no expression."""
    stop_node: int
    """Node of StopStrings: the prefix of a stop string that comes after what is surely text."""
    lines: int
    """Number of lines that are full; 0 where lines are not counted."""
    final: int = GOES_ON
    """What ends the text here, as in Automaton."""
    held: int = 0
    """Number of the last symbols that are not shown here, as in Automaton."""


START = Situation(matched=0, stop_node=0, lines=0)
"""The situation before the first symbol."""


class StopStrings:
    """Finds stop strings in a text as it is written: a node for each prefix of any of them."""

    def __init__(self, strings: Iterable[tuple[int, ...]]) -> None:
        """Take the stop strings as ids; none of them is empty."""
        strings = set(strings)
        prefixes = {string[:end] for string in strings for end in range(1, len(string) + 1)}
        by_length = sorted(prefixes, key=lambda prefix: (len(prefix), prefix))
        self.prefixes: list[tuple[int, ...]] = [(), *by_length]
        """The prefix of each node; node 0 has the empty one, where no stop string has begun."""
        self._node = {prefix: node for node, prefix in enumerate(self.prefixes)}
        self.complete = [
            next((suffix for suffix in _suffixes(prefix) if suffix in strings), ())
            for prefix in self.prefixes
        ]
        """The longest stop string that the prefix of each node ends with, or ()."""

    def step(self, node: int, symbol: int) -> int:
        """The node of the longest prefix that the text ends with after `symbol`."""
        suffixes = _suffixes((*self.prefixes[node], symbol))
        return next((self._node[suffix] for suffix in suffixes if suffix in self._node), 0)


class Limits:
    """Builds the automaton of a SamplingConfig for one vocabulary."""

    def __init__(self, config: SamplingConfig, vocabulary: Vocabulary, allowed: Allowed) -> None:
        """Raise UsageError for a limit that texts in this vocabulary can never reach."""
        self._length = config.length
        self._keep_stop = config.keep_stop
        self._lines = config.lines or 0
        self._match = config.match
        self._allowed = np.ones(len(vocabulary), bool) if allowed is None else allowed  # (V,)
        self._stops = StopStrings(
            tuple(map(int, _spelled("stop", stop, vocabulary, self._allowed)))
            for stop in config.stop
        )
        self._newline = -1
        if self._lines:
            self._newline = int(_spelled("lines", "\n", vocabulary, self._allowed)[0])
        self._expression = None
        self._expression_class = [0] * len(vocabulary)
        if config.match is not None:
            self._expression = Expression(config.match, vocabulary)
            self._expression_class = self._expression.symbol_class.tolist()

    def automaton(self) -> Automaton:
        """The automaton of all limits together.

        Raises UsageError if no text keeps them within the length, or if its table were too large.
        """
        symbol_class, examples = self._classes()
        situations, next_state = self._explore(examples)
        distance = self._distances(situations, next_state)
        self._check_distance(int(distance[0]))
        # What leads nowhere is forbidden; entries that are FORBIDDEN, -1, may look up any state.
        next_state[distance[next_state] == UNREACHABLE] = FORBIDDEN
        final = np.array([situation.final for situation in situations], np.uint8)
        held = np.array([situation.held for situation in situations], np.int32)
        if self._match is not None:
            # A text that matches and could not go on ends here, and nothing of it is held back.
            whole = (distance == 0) & (final == GOES_ON) & (next_state == FORBIDDEN).all(axis=1)
            final[whole] = MATCH
            held[whole] = 0
        return Automaton(symbol_class, next_state, final, distance, held)

    def _classes(self) -> tuple[NDArray[np.int32], list[int | None]]:
        """The class of each symbol, (V,), and for each class one of its symbols.

        All symbols that are not allowed are one class, for which None stands. Symbols that occur in
        a stop string, and the newline where lines are counted, each are a class of their own.
        """
        special = {self._newline, *(symbol for prefix in self._stops.prefixes for symbol in prefix)}
        classes: dict[tuple[int, int] | None, int] = {}
        examples: list[int | None] = []
        symbol_class: list[int] = []
        for symbol, expression_class in enumerate(self._expression_class):
            key = None
            if self._allowed[symbol]:
                key = (expression_class, symbol if symbol in special else -1)
            if key not in classes:
                classes[key] = len(examples)
                examples.append(None if key is None else symbol)
            symbol_class.append(classes[key])
        return np.array(symbol_class, np.int32), examples

    def _explore(self, examples: list[int | None]) -> tuple[list[Situation], NDArray[np.int32]]:
        """The situation of each of S states, START's first, and the table next_state, (S, C).

        `examples` has a symbol of each of the C classes, None for the class that is not allowed.
        """
        states = {START: 0}
        situations = [START]
        rows: list[list[int]] = []
        if self._match is None and self._lines * len(examples) > MOST_ENTRIES:
            raise self._too_large()  # there is a state for each line, at least: soon told
        for situation in situations:  # the list grows on the way
            row = []
            for symbol in examples:
                after = None if symbol is None else self._after(situation, symbol)
                if after is not None and after not in states:
                    states[after] = len(situations)
                    situations.append(after)
                row.append(FORBIDDEN if after is None else states[after])
            rows.append(row)
            if len(rows) * len(examples) > MOST_ENTRIES:
                raise self._too_large()
        return situations, np.array(rows, np.int32)

    def _after(self, situation: Situation, symbol: int) -> Situation | None:
        """The situation after `symbol`, or None if `symbol` cannot come."""
        if situation.final != GOES_ON:
            return None
        unsure = (*self._stops.prefixes[situation.stop_node], symbol)
        node = self._stops.step(situation.stop_node, symbol)
        prefix, stop = self._stops.prefixes[node], self._stops.complete[node]
        held = len(stop or prefix)
        # Symbols that no stop string can take back any more are text that has to match.
        matched = self._follow(situation.matched, unsure[: len(unsure) - held])
        if matched == DEAD:
            return None
        if stop:
            kept = stop if self._keep_stop else ()
            return self._ended(Situation(matched, 0, 0, STOP, held - len(kept)), kept)
        lines = situation.lines + (symbol == self._newline)
        if self._lines and lines == self._lines:
            return self._ended(Situation(matched, 0, 0, LINES), prefix)
        return Situation(matched, node, lines, GOES_ON, 0 if self._keep_stop else held)

    def _ended(self, situation: Situation, rest: tuple[int, ...]) -> Situation | None:
        """The final `situation`, or None if the text with `rest` at its end does not match."""
        matched = self._follow(situation.matched, rest)
        return situation._replace(matched=0) if self._accepts(matched) else None

    def _may_end(self, situation: Situation) -> bool:
        """Whether the text may end here, be it by its length: it is final, or all of it matches."""
        if situation.final != GOES_ON:
            return True
        prefix = self._stops.prefixes[situation.stop_node]
        return self._accepts(self._follow(situation.matched, prefix))

    def _follow(self, state: int, symbols: Iterable[int]) -> int:
        """The expression's state after `symbols`, or DEAD; `state` where there is no expression."""
        if self._expression is not None:
            for symbol in symbols:
                if state != DEAD:
                    state = self._expression.step(state, self._expression_class[symbol])
        return state

    def _accepts(self, state: int) -> bool:
        """Whether a text matches that led the expression to `state`; any text without one."""
        return state != DEAD and (self._expression is None or self._expression.accepts(state))

    def _distances(
        self, situations: list[Situation], next_state: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """The fewest symbols from each state to one where the text may end, or UNREACHABLE, (S,).

        A search in breadth that goes backwards from all ends at once.
        """
        states_before: list[list[int]] = [[] for _ in situations]
        for state, row in enumerate(next_state.tolist()):
            for after in set(row) - {FORBIDDEN}:
                states_before[after].append(state)
        distance = np.full(len(situations), UNREACHABLE, np.int32)
        waiting = deque(
            state for state, situation in enumerate(situations) if self._may_end(situation)
        )
        distance[list(waiting)] = 0
        while waiting:
            state = waiting.popleft()
            for before in states_before[state]:
                if distance[before] == UNREACHABLE:
                    distance[before] = distance[state] + 1
                    waiting.append(before)
        return distance

    def _check_distance(self, distance: int) -> None:
        """Raise UsageError if `distance` symbols, the fewest of any text, are out of reach."""
        if distance == UNREACHABLE:
            which = "" if self._allowed.all() else ", without those of `forbid`,"
            raise UsageError(
                f"`match` {self._match!r}: this model's characters{which} cannot spell it "
                "(`charrnn info` shows them)"
            )
        if self._length != ENDLESS and distance > self._length:
            raise UsageError(
                f"`length` {self._length}: `match` needs at least {distance} characters"
            )

    def _too_large(self) -> UsageError:
        """The error for limits whose table has more than MOST_ENTRIES."""
        if self._match is not None:
            return too_large(self._match)
        if self._lines:
            return UsageError(f"`lines` {self._lines}: too many to count; ask for fewer lines")
        return UsageError("`stop`: the strings are too long; name shorter ones")


def allowed_symbols(config: SamplingConfig, vocabulary: Vocabulary) -> Allowed:
    """The symbols that `config.forbid` leaves. Raises UsageError if it leaves none."""
    forbidden = vocabulary.encode(config.forbid, unknown="skip")
    if len(forbidden) == 0:
        return None
    allowed = np.ones(len(vocabulary), bool)
    allowed[forbidden] = False
    if not allowed.any():
        raise UsageError("`forbid`: that is every character that the model knows")
    return allowed


def make_automaton(
    config: SamplingConfig, vocabulary: Vocabulary, allowed: Allowed
) -> Automaton | None:
    """The automaton of stop, lines and match; None where there is no limit but the length.

    Raises UsageError for limits that no text in this vocabulary, and of this length, can keep.
    """
    if not config.stop and config.lines is None and config.match is None:
        return None
    return Limits(config, vocabulary, allowed).automaton()


def _spelled(
    option: str, text: str, vocabulary: Vocabulary, allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The ids of `text`, (n,), which `option` waits for.

    Raises UsageError if the model can never write it.
    """
    ids = vocabulary.encode(text, unknown="skip").astype(np.int64)
    given = "" if option == "lines" else f" {text!r}"
    for character in text:
        if len(vocabulary.encode(character, unknown="skip")) == 0:
            raise UsageError(
                f"`{option}`{given}: the model does not know {character!r}, so no text ends with it"
            )
    if not allowed[ids].all():
        raise UsageError(f"`{option}`{given}: `forbid` rules it out, so no text ends with it")
    return ids


def _suffixes(symbols: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All suffixes of `symbols` but the empty one, the longest first."""
    return (symbols[start:] for start in range(len(symbols)))
