"""Which symbols may come next, as an automaton that reads what is written: state, symbol -> state.

Stop strings, numbers of lines and regular expressions together become one automaton (limits.py),
and the loop that writes walks it, in C++ or in numpy (writers.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FORBIDDEN = -1
"""Entry of `next_state` for a symbol that must not be written."""
GOES_ON, STOP, LINES, MATCH = range(4)
"""What ends a text in a state: nothing yet; a stop string; enough lines; a match that is whole and
could not go on."""


@dataclass(frozen=True, eq=False)
class Automaton:
    """Tables over S states, of which every text begins in state 0, and V symbols in C classes.

    Symbols of one class are treated alike, so the tables stay small for large vocabularies.
    """

    symbol_class: NDArray[np.int32]
    """Class of each symbol, (V,)."""
    next_state: NDArray[np.int32]
    """State after each state and a symbol of each class, or FORBIDDEN, (S, C)."""
    final: NDArray[np.uint8]
    """Why the text ends on entering each state: STOP, LINES or MATCH, or GOES_ON where it does not,
    (S,)."""
    distance: NDArray[np.int32]
    """Fewest symbols from each state to one where the text may end, (S,). A state that is farther
    from an end than the length allows is not entered."""
    held: NDArray[np.int32]
    """How many of the last symbols are not shown in each state, (S,): those that may turn out to be
    the beginning of a stop string, and, where the text ends with one, that."""
