"""A place in a text, from which a model can go on writing."""

from dataclasses import dataclass

import numpy as np

from charrnn.corpus.vocabulary import Ids
from charrnn.inference.network import Network, State
from charrnn.inference.parallel_reading import read_carried


@dataclass(frozen=True, eq=False)
class Place:
    """A place in a text, from which it can go on."""

    state: State
    """Each part (L, 1, H); `last` was not read yet."""
    last: int
    """The id before this place."""
    record_end: int | None = None
    """The id after which a text goes on from the zero state, if there is one."""

    @classmethod
    def after(cls, network: Network, prime: Ids, record_end: int | None = None) -> "Place":
        """The end of `prime`, at least one id, read from the zero state."""
        prime = _last_record(prime, record_end)
        return cls(read_carried(network, prime[:-1]), int(prime[-1]), record_end)

    def then(self, network: Network, ids: Ids) -> "Place":
        """The place after `ids`, which follow this one."""
        read = np.concatenate([[self.last], ids]).astype(np.int64)
        rest = _last_record(read, self.record_end)
        state = self.state if len(rest) == len(read) else network.initial_state(1)
        return Place(network.read(rest[:-1, None], state), int(rest[-1]), self.record_end)


def _last_record(ids: Ids, record_end: int | None) -> Ids:
    """From the last end of a record on; all, if there is none."""
    if record_end is None:
        return ids
    ends = np.flatnonzero(ids == record_end)
    return ids[ends[-1] :] if len(ends) else ids
