"""Where the texts of a split lie in its ids, for whoever counts what they are made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.vocabulary import Ids


@dataclass(frozen=True, eq=False)
class Pieces:
    """Stretches of ids, each a text of its own: what stands in one is no context of another."""

    ids: Ids
    """(N,) the ids in which the pieces lie."""
    starts: NDArray[np.int64]
    """(P,) where each piece begins."""
    stops: NDArray[np.int64]
    """(P,) where each piece ends."""
    lead: int | None = None
    """The id that is read before each piece; None: nothing is. With one, a piece is a record."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(P,) the number of ids of each piece."""
        return self.stops - self.starts
