"""What may come next, as a machine that reads what is written: state and symbol -> next state.

Stop strings and regular expressions become one of these; the native loop walks it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FORBIDDEN = -1


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
    """(S,): 1 where the text ends on entering the state."""
