"""The n-gram experts of a model in plain numpy: what they add to the logits of the decoder.

The native sampler does the same additions in the same order, native/sampling/experts.h.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.experts import layout
from charrnn.experts.table import Nodes, Recent
from charrnn.inference.network import Array
from charrnn.model.cells import Elementwise
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig


class NumpyExperts:
    """What followed the contexts of 1 to K symbols in the training text, as shares of logits."""

    def __init__(
        self, config: ModelConfig, weights: Weights, gate: Any, sigmoid: Elementwise
    ) -> None:
        """`gate` (K, H) is the experts' matrix as the network's precision keeps it, and `sigmoid`
        the logistic function of that precision.
        """
        self.table = layout.from_tensors(weights, config.vocab_size, config.ngram_order)
        self._shares = weights[layout.SHARES].reshape(config.ngram_order, -1)
        self._gate = gate
        self._sigmoid = sigmoid
        # The contexts (B, K) that the last walk ended in, and what was remembered there: the next
        # walk usually goes on from them.
        self._recent = self.table.nothing_read(0)
        self._contexts = np.empty((0, config.ngram_order), np.int32)

    def walk(self, ids: NDArray[Any], recent: Recent) -> tuple[Nodes, Recent]:
        """Read ids (T, B): (the context of each length after each, (T, B, K); what is remembered).

        `recent` (1, B, K) is what was remembered before; see Table.walk.
        """
        known = self._contexts if np.array_equal(recent, self._recent) else None
        nodes, after = self.table.walk_in_numpy(ids, recent, known)
        if len(nodes):
            self._recent, self._contexts = after.copy(), nodes[-1].copy()
        return nodes, after

    def add(self, logits: Array, h: Array, nodes: Nodes) -> None:
        """Add to logits (B, V) what the experts say after the contexts `nodes` (B, K).

        h (B, H) is the output of the top layer. Of the shares of one logit that of the shortest
        context is added first.
        """
        gates = 2 * self._sigmoid(h @ self._gate.T)  # (B, K)
        rows, symbols, slots = self.table.entries(nodes.T.ravel())  # rows: of K * B contexts
        length, stream = np.divmod(rows, len(nodes))
        shares = gates[stream, length] * self._shares[length, slots]
        np.add.at(logits, (stream, symbols), shares)
