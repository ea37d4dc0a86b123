r"""A regular expression of Python's, as a machine over the symbols of a vocabulary.

`re` itself parses it and says which symbols each of its classes holds, so every expression means
what it means to re.fullmatch: `.` is no newline, `\w` knows all alphabets, flags count. What is
left to do is textbook: an automaton with choices (Thompson), then sets of its states, made as they
are met. Sets of symbols that the expression never tells apart are one class.
"""

import re
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.errors import UsageError

DEAD = -1
MOST_STATES = 100_000
"""Of the automaton with choices: larger expressions are refused."""
MOST_MEMBERS = 1_000_000
"""Of all sets of them together."""
_REFUSED = {
    "ASSERT": "lookaround",
    "ASSERT_NOT": "lookaround",
    "GROUPREF": "a back-reference",
    "GROUPREF_IGNORE": "a back-reference",
    "GROUPREF_EXISTS": "a back-reference",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repeat",
    "AT": "an anchor or word boundary inside the expression",
}


class Expression:
    """The texts that match, read symbol by symbol: states are numbers, the first is 0."""

    def __init__(self, pattern: str, vocabulary: Vocabulary) -> None:
        """Raise UsageError for what is no expression, or none that an automaton could follow.

        In byte mode it is an expression over bytes: `pattern` in UTF-8.
        """
        self._pattern = pattern
        codes = vocabulary.characters
        self._symbols: list[str] | list[bytes] = (
            [bytes([ord(code)]) for code in codes] if vocabulary.is_bytes else list(codes)
        )
        self._moves: list[list[tuple[int, int]]] = []  # of each state: (which mask, next state)
        self._free: list[list[int]] = []  # of each state: states that are reached without a symbol
        self._masks: dict[tuple[int, str], tuple[int, NDArray[np.bool_]]] = {}
        parsed = _parse(pattern.encode() if vocabulary.is_bytes else pattern)
        self._end = self._add(_without_anchors(list(parsed)), self._new(), parsed.state.flags)
        masks = np.array([mask for _, mask in self._masks.values()]).reshape(-1, len(codes))
        _, first, classes = np.unique(masks, axis=1, return_index=True, return_inverse=True)
        self.symbol_class: Ids = classes.reshape(-1)
        """(V,): symbols of one class are treated alike."""
        self._readable = masks[:, first].T  # (C, masks)
        self._number: dict[frozenset[int], int] = {}
        self._sets: list[frozenset[int]] = []
        self._members = 0
        self._met(frozenset([0]))

    def step(self, state: int, symbol_class: int) -> int:
        """The state after a symbol of this class, or DEAD."""
        readable = self._readable[symbol_class]
        after = {
            target
            for each in self._sets[state]
            for mask, target in self._moves[each]
            if readable[mask]
        }
        return self._met(frozenset(after)) if after else DEAD

    def accepts(self, state: int) -> bool:
        """Whether what has been read matches as it is."""
        return self._end in self._sets[state]

    def _met(self, states: frozenset[int]) -> int:
        """The number of a set of states, with all that are reached from it without a symbol."""
        if states in self._number:
            return self._number[states]
        reached, waiting = set(states), list(states)
        while waiting:
            new = [each for each in self._free[waiting.pop()] if each not in reached]
            reached.update(new)
            waiting += new
        closed = frozenset(reached)
        if closed not in self._number:
            self._number[closed] = len(self._sets)
            self._sets.append(closed)
            self._members += len(closed)
            if self._members > MOST_MEMBERS:
                raise self._too_large()
        self._number[states] = self._number[closed]
        return self._number[closed]

    def _new(self) -> int:
        if len(self._moves) >= MOST_STATES:
            raise self._too_large()
        self._moves.append([])
        self._free.append([])
        return len(self._moves) - 1

    def _too_large(self) -> UsageError:
        return UsageError(f"--match {self._pattern!r}: too large; ask for fewer repetitions")

    def _add(self, items: Iterable[tuple[Any, Any]], start: int, flags: int) -> int:
        """Go on from `start`, which so far leads nowhere, and return where the items end."""
        for operation, argument in items:
            name = str(operation)
            if name in _REFUSED:
                raise UsageError(
                    f"--match {self._pattern!r}: {_REFUSED[name]} cannot be followed "
                    "character by character; write it without"
                )
            if name == "SUBPATTERN":
                _, added, removed, inner = argument
                start = self._add(inner, start, (flags | added) & ~removed)
            elif name == "BRANCH":
                end = self._new()
                for branch in argument[1]:
                    self._free[self._add(branch, start, flags)].append(end)
                start = end
            elif name in ("MAX_REPEAT", "MIN_REPEAT"):
                least, most, inner = argument
                start = self._repeat(least, most, inner, start, flags)
            else:  # one symbol
                end = self._new()
                self._moves[start].append((self._mask(operation, argument, flags), end))
                start = end
        return start

    def _repeat(self, least: int, most: Any, inner: Any, start: int, flags: int) -> int:
        for _ in range(least):
            start = self._add(inner, start, flags)
        end = self._new()
        if str(most) == "MAXREPEAT":
            self._free[start].append(end)
            self._free[self._add(inner, end, flags)].append(end)
            return self._after(end)
        for _ in range(least, most):
            self._free[start].append(end)
            start = self._add(inner, start, flags)
        self._free[start].append(end)
        return end

    def _after(self, state: int) -> int:
        """A state of its own behind a loop, so that what follows is not part of the loop."""
        end = self._new()
        self._free[state].append(end)
        return end

    def _mask(self, operation: Any, argument: Any, flags: int) -> int:
        """The number of the set of symbols that this item stands for."""
        key = (int(flags), f"{operation} {argument}")
        if key not in self._masks:
            matches = _compile(operation, argument, flags).fullmatch
            mask = np.array([matches(symbol) is not None for symbol in self._symbols])
            self._masks[key] = (len(self._masks), mask)
        return self._masks[key][0]


def _parse(pattern: str | bytes) -> Any:
    from re import _parser  # type: ignore[attr-defined]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of syntax that may mean something else one day
            return _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"--match {pattern!r}: {reason}") from error


def _compile(operation: Any, argument: Any, flags: int) -> "re.Pattern[Any]":
    """The expression that is this one item."""
    from re import _compiler, _parser  # type: ignore[attr-defined]

    state = _parser.State()
    state.flags = flags
    compiled: re.Pattern[Any] = _compiler.compile(
        _parser.SubPattern(state, [(operation, argument)]), flags
    )
    return compiled


def _without_anchors(items: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Without ^ at the start and $ at the end: the whole text has to match anyway."""
    while items and str(items[0][1]) in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        items = items[1:]
    while items and str(items[-1][1]) in ("AT_END", "AT_END_STRING"):
        items = items[:-1]
    return items
