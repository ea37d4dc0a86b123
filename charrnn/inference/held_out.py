"""A trained model that is judged on the text which its n-gram experts have counted.

There each symbol would be predicted beside its own count, and cost far too little. So it is judged
as it was learned: beside the counts of all folds of the text but its own. A model file has the full
counts alone; the text is counted again for those of the folds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.windows import FOLDS
from charrnn.experts import layout
from charrnn.experts.table import Table
from charrnn.inference.make_network import make_network
from charrnn.inference.network import State
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig


class HeldOutNetwork:
    """A network for each fold, without that fold's counts.

    The experts change no state of the cells: where one network stopped, each other may go on.
    """

    def __init__(self, config: ModelConfig, weights: Weights, table: Table) -> None:
        """`table` holds the counts of the model's training text, and the held-out ones.

        Raises ValueError if the model's own counts are others.
        """
        assert table.held_out is not None
        counts = layout.to_tensors(table, weights[layout.SHARES])
        if not all(np.array_equal(weights[name], counts[name]) for name in layout.COUNTS):
            raise ValueError("the counts of n-grams are others")
        self.config = config
        self._networks = [
            make_network(config, {**weights, layout.CODES_NAME: table.held_out[fold]})
            for fold in range(FOLDS)
        ]

    def initial_state(self, batch_size: int) -> State:
        """The state of streams that have read nothing: zeros."""
        return self._networks[0].initial_state(batch_size)

    def score(
        self,
        inputs: NDArray[Any],
        targets: NDArray[Any],
        state: State,
        folds: NDArray[np.uint8],
    ) -> tuple[NDArray[np.float64], State]:
        """Read inputs (T, B); return the nats (T, B) of targets (T, B), which are of `folds` (T, B)
        in the training text, and the state after them.

        A network reads the streams in which its fold occurs: of a long text nearly all have one.
        """
        nats = np.empty(targets.shape, np.float64)
        after = tuple(part.copy() for part in state)
        for fold in np.unique(folds):
            of_fold = folds == fold  # (T, B)
            streams = np.flatnonzero(of_fold.any(axis=0))
            before = tuple(np.ascontiguousarray(part[:, streams]) for part in state)
            found, ends = self._networks[fold].score(
                inputs[:, streams], targets[:, streams], before
            )
            nats[of_fold] = found[of_fold[:, streams]]
            for part, end in zip(after, ends, strict=True):
                part[:, streams] = end
        return nats, after
