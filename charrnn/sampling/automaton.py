"""What may come next, as a machine that reads what is written: state and symbol -> next state.

Stop strings, numbers of lines and regular expressions become one of these (limits.py); the native
loop walks it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FORBIDDEN = -1
GOES_ON, STOP, LINES, MATCH = range(4)
"""What ends a text in a final state: nothing yet; a stop string; enough lines; a whole match."""


@dataclass(frozen=True, eq=False)
class Automaton:
    """Tables over states 0 ... S-1; every text begins in state 0.

    Symbols that are treated alike share a class, so the table stays small for large vocabularies.
    """

    symbol_class: NDArray[np.int32]
    """The class of each symbol, (V,)."""
    next_state: NDArray[np.int32]
    """(S, C): the state after a symbol of this class, or FORBIDDEN."""
    final: NDArray[np.uint8]
    """(S,): not GOES_ON where the text ends on entering the state, and why it does."""
    distance: NDArray[np.int32]
    """(S,): the fewest symbols from here to where the text may end. A state that is farther away
    than the symbols that are left is not entered."""
    held: NDArray[np.int32]
    """(S,): how many of the last symbols may be the beginning of a stop string and are not shown
    yet; in a final state they never are."""
