"""Where each of several texts stands while they are written."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.network import State

GOES_ON, FINAL_STATE, NOTHING_ALLOWED = range(3)
"""Why a text has ended: not yet; the automaton is in a final state; no symbol was allowed."""


@dataclass(eq=False)
class WriterState:
    """Where each of S texts stands. Writers change it in place."""

    network_state: State
    """What the network carries, S streams of it."""
    last: NDArray[np.int64]
    """The id that each text reads next, (S,)."""
    automaton_state: NDArray[np.int32]
    """The automaton's state in each text, (S,); 0, the first one, where there is no automaton."""
    ended: NDArray[np.int8]
    """GOES_ON, FINAL_STATE or NOTHING_ALLOWED of each text, (S,)."""
    record_end: int
    """The id after which a text goes on from the zero state; -1 if there is none."""
    position: int = 0
    """Symbols that each text has written so far."""

    @classmethod
    def at(cls, state: State, last: int, record_end: int | None, samples: int) -> "WriterState":
        """`samples` texts that all go on from one place: `state`, of one stream, and the id `last`,
        which was not read yet.
        """
        return cls(
            network_state=tuple(np.repeat(part, samples, axis=1) for part in state),
            last=np.full(samples, last, np.int64),
            automaton_state=np.zeros(samples, np.int32),
            ended=np.zeros(samples, np.int8),
            record_end=-1 if record_end is None else record_end,
        )
