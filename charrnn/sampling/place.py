"""A place in a text: what a model has to know of what it read, to go on writing from there."""

from dataclasses import dataclass

import numpy as np

from charrnn.corpus.vocabulary import Ids
from charrnn.inference.network import Network, State
from charrnn.inference.parallel_reading import read_carried


@dataclass(frozen=True, eq=False)
class Place:
    """The end of what a model has read, from which it can go on writing, any number of times."""

    state: State
    """State, of one stream, after all symbols before this place but the last."""
    last: int
    """Id of the last symbol before this place, which is read together with what comes next."""
    record_end: int | None = None
    """Id of the symbol that ends a record, after which the state is zero again; None: no symbol
    does."""

    @classmethod
    def after(cls, network: Network, prime: Ids, record_end: int | None = None) -> "Place":
        """The place after `prime`, ids (N,) with N >= 1, read from the zero state."""
        prime = _last_record(prime, record_end)
        return cls(read_carried(network, prime[:-1]), int(prime[-1]), record_end)

    def then(self, network: Network, ids: Ids) -> "Place":
        """The place after ids (N,), which follow this one; `network` is that of this place."""
        unread = np.concatenate([[self.last], ids]).astype(np.int64)  # (1 + N,)
        record = _last_record(unread, self.record_end)
        state = self.state if len(record) == len(unread) else network.initial_state(1)
        return Place(network.read(record[:-1, None], state), int(record[-1]), self.record_end)


def _last_record(ids: Ids, record_end: int | None) -> Ids:
    """What of ids (N,) counts: those from the last end of a record on, or all if there is none."""
    if record_end is None:
        return ids
    ends = np.flatnonzero(ids == record_end)
    return ids[ends[-1] :] if len(ends) else ids
