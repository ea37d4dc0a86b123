r"""A regular expression of Python's, as a deterministic automaton over a vocabulary's symbols.

`re` itself parses the expression and says which symbols each of its classes holds, so every
expression means what it means to re.fullmatch: `.` is no newline, `\w` knows all alphabets, flags
count. What is left to do is textbook: a nondeterministic automaton (Thompson 1968, "Regular
expression search algorithm"), and a deterministic one whose states are sets of its states, made as
they are met. Symbols that the expression never tells apart are one class.
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
"""State after text with which no match begins."""
MOST_STATES = 100_000
"""Most states of the nondeterministic automaton; expressions that need more are refused."""
MOST_MEMBERS = 1_000_000
"""Most members of all sets of its states together; expressions that need more are refused."""
_REFUSED = {
    "ASSERT": "lookaround",
    "ASSERT_NOT": "lookaround",
    "GROUPREF": "a back-reference",
    "GROUPREF_IGNORE": "a back-reference",
    "GROUPREF_EXISTS": "a condition on a group",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repeat",
    "AT": "an anchor or word boundary inside the expression",
}
"""What no automaton can follow: names of the parser's operations, and what users call them."""
POSIX_CLASSES = {
    "alnum": r"[^\W_]",
    "alpha": r"[^\W\d_]",
    "blank": r"[ \t]",
    "cntrl": r"[\x00-\x1f\x7f]",
    "digit": r"\d",
    "graph": "[!-~]",
    "lower": "[a-z]",
    "print": "[ -~]",
    "punct": "[!-/:-@[-`{-~]",
    "space": r"\s",
    "upper": "[A-Z]",
    "word": r"\w",
    "xdigit": "[0-9A-Fa-f]",
}
"""What Python has for each class that POSIX writes as [[:NAME:]]."""
_POSIX_CLASS = re.compile(rf"\[:\^?({'|'.join(POSIX_CLASSES)}):\]")


class Expression:
    """The texts that match an expression, read symbol by symbol.

    States are numbers, in the order in which they are met; the first one, before any text, is 0.
    """

    def __init__(self, pattern: str, vocabulary: Vocabulary) -> None:
        """Raise UsageError for what is no expression, or none that an automaton could follow.

        In byte mode it is an expression over bytes: `pattern` in UTF-8.
        """
        self._pattern = pattern
        self._nfa = _Nfa(pattern, vocabulary)
        masks = np.array(self._nfa.masks).reshape(-1, len(vocabulary))  # (M, V)
        _, examples, classes = np.unique(masks, axis=1, return_index=True, return_inverse=True)
        self.symbol_class: Ids = classes.reshape(-1)
        """Class of each symbol, (V,), out of C; symbols of one class are treated alike."""
        self._in_mask = masks[:, examples].T  # (C, M): whether a class lies in a mask
        self._state_of: dict[frozenset[int], int] = {}
        self._sets: list[frozenset[int]] = []
        self._members = 0
        self._state(frozenset([0]))

    def step(self, state: int, symbol_class: int) -> int:
        """The state after a symbol of this class, or DEAD."""
        in_mask = self._in_mask[symbol_class]
        after = {
            target
            for nfa_state in self._sets[state]
            for mask, target in self._nfa.moves[nfa_state]
            if in_mask[mask]
        }
        return self._state(frozenset(after)) if after else DEAD

    def accepts(self, state: int) -> bool:
        """Whether the text that led to `state` matches as it is."""
        return self._nfa.end in self._sets[state]

    def _state(self, nfa_states: frozenset[int]) -> int:
        """The state that stands for `nfa_states` and all that they lead to without a symbol.

        It is made if it is new. Raises UsageError where all states together become too large.
        """
        if nfa_states in self._state_of:
            return self._state_of[nfa_states]
        closure = self._nfa.closure(nfa_states)
        if closure not in self._state_of:
            self._state_of[closure] = len(self._sets)
            self._sets.append(closure)
            self._members += len(closure)
            if self._members > MOST_MEMBERS:
                raise too_large(self._pattern)
        self._state_of[nfa_states] = self._state_of[closure]
        return self._state_of[closure]


class _Nfa:
    """A nondeterministic automaton: from state 0 many ways, on some of which a match ends."""

    def __init__(self, pattern: str, vocabulary: Vocabulary) -> None:
        """Build the automaton of `pattern`; raises what Expression does."""
        self._pattern = pattern
        self._symbols = _symbols(vocabulary)
        self._mask_of: dict[tuple[int, str], int] = {}
        self.masks: list[NDArray[np.bool_]] = []
        """Sets of symbols that items of the expression stand for, (V,) each."""
        self.moves: list[list[tuple[int, int]]] = []
        """Moves from each state: (index of the mask that the symbol must lie in, next state)."""
        self._empty_moves: list[list[int]] = []  # from each state: states reached without a symbol
        _refuse_posix_classes(pattern)
        parsed = _parse(pattern.encode() if vocabulary.is_bytes else pattern)
        items = _without_anchors(list(parsed))
        self.end = self._add(items, self._new_state(), parsed.state.flags)
        """The state in which a text matches."""

    def closure(self, states: frozenset[int]) -> frozenset[int]:
        """The states that are reached from `states` without a symbol, `states` among them."""
        reached, waiting = set(states), list(states)
        while waiting:
            new = [state for state in self._empty_moves[waiting.pop()] if state not in reached]
            reached.update(new)
            waiting += new
        return frozenset(reached)

    def _add(self, items: Iterable[tuple[Any, Any]], start: int, flags: int) -> int:
        """Add ways for `items` from `start`, which so far leads nowhere; return where they end.

        An item is (operation, argument), as the parser of `re` makes them.
        """
        for operation, argument in items:
            start = self._add_item(operation, argument, start, flags)
        return start

    def _add_item(self, operation: Any, argument: Any, start: int, flags: int) -> int:
        """Add the ways of one item from `start`; return where they end."""
        name = str(operation)
        if name in _REFUSED:
            raise UsageError(
                f"`match` {self._pattern!r}: {_REFUSED[name]} cannot be followed "
                "character by character; write it without"
            )
        if name == "SUBPATTERN":
            _, added, removed, inner = argument
            return self._add(inner, start, (flags | added) & ~removed)
        if name == "BRANCH":
            return self._add_branches(argument[1], start, flags)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = argument
            return self._add_repeat(least, most, inner, start, flags)
        end = self._new_state()
        self.moves[start].append((self._mask(operation, argument, flags), end))
        return end

    def _add_branches(self, branches: Any, start: int, flags: int) -> int:
        """Add a way for each of `branches` from `start`; return where all of them end."""
        end = self._new_state()
        for branch in branches:
            self._empty_moves[self._add(branch, start, flags)].append(end)
        return end

    def _add_repeat(self, least: int, most: Any, inner: Any, start: int, flags: int) -> int:
        """Add ways for `inner`, `least` to `most` times in a row; return where they end."""
        for _ in range(least):
            start = self._add(inner, start, flags)
        end = self._new_state()
        if str(most) == "MAXREPEAT":
            self._empty_moves[start].append(end)
            self._empty_moves[self._add(inner, end, flags)].append(end)
            # A state of its own behind the loop: what follows is not part of the loop.
            behind = self._new_state()
            self._empty_moves[end].append(behind)
            return behind
        for _ in range(least, most):
            self._empty_moves[start].append(end)
            start = self._add(inner, start, flags)
        self._empty_moves[start].append(end)
        return end

    def _new_state(self) -> int:
        """Make a state that leads nowhere yet; raises UsageError if there are too many."""
        if len(self.moves) >= MOST_STATES:
            raise too_large(self._pattern)
        self.moves.append([])
        self._empty_moves.append([])
        return len(self.moves) - 1

    def _mask(self, operation: Any, argument: Any, flags: int) -> int:
        """The index in `masks` of the symbols that an item for one symbol stands for."""
        key = (int(flags), f"{operation} {argument}")
        if key not in self._mask_of:
            matches = _compile(operation, argument, flags).fullmatch
            self._mask_of[key] = len(self.masks)
            self.masks.append(np.array([matches(symbol) is not None for symbol in self._symbols]))
        return self._mask_of[key]


def too_large(pattern: str) -> UsageError:
    """The error for an expression whose automaton would be too large."""
    return UsageError(
        f"`match` {pattern!r}: the expression is too large; ask for fewer repetitions"
    )


def _refuse_posix_classes(pattern: str) -> None:
    """Raise UsageError for [:alpha:] and the like, whose letters `re` would take one by one."""
    found = _POSIX_CLASS.search(pattern)
    if found is not None:
        raise UsageError(
            f"`match` {pattern!r}: Python's syntax has no {found[0]}; "
            f"for [[:{found[1]}:]] write {POSIX_CLASSES[found[1]]}"
        )


def _symbols(vocabulary: Vocabulary) -> list[str] | list[bytes]:
    """Every symbol of `vocabulary` as a text of its own, which `re` can match."""
    if vocabulary.is_bytes:
        return [bytes([ord(code)]) for code in vocabulary.characters]
    return list(vocabulary.characters)


def _parse(pattern: str | bytes) -> Any:
    """The items of `pattern`, parsed by `re`; raises UsageError if it is no expression."""
    from re import _parser  # type: ignore[attr-defined]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # syntax that may mean something else one day
            return _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"`match` {pattern!r}: {reason}") from error


def _compile(operation: Any, argument: Any, flags: int) -> "re.Pattern[Any]":
    """The compiled expression that consists of this one item."""
    from re import _compiler, _parser  # type: ignore[attr-defined]

    state = _parser.State()
    state.flags = flags
    compiled: re.Pattern[Any] = _compiler.compile(
        _parser.SubPattern(state, [(operation, argument)]), flags
    )
    return compiled


def _without_anchors(items: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """`items` without ^ at the start and $ at the end: the whole text has to match anyway."""
    while items and str(items[0][1]) in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        items = items[1:]
    while items and str(items[-1][1]) in ("AT_END", "AT_END_STRING"):
        items = items[:-1]
    return items
