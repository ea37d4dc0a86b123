"""A trained model as sampling and scoring see it, and its plain numpy maker. No torch.

The equations are those of model/cells.py, the ones that training is tested against.
"""

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from charrnn.model.cells import CELLS
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SamplingPrecision

Array: TypeAlias = NDArray[np.float32]
State: TypeAlias = tuple[Array, ...]
"""The arrays of Cell.state, each (L, B, H)."""


class Network(Protocol):
    """What the sampler and the scorer need of a model. A state handed in is never changed."""

    config: ModelConfig
    precision: SamplingPrecision

    def initial_state(self, batch_size: int) -> State:
        """A state that has read nothing: zeros, each (L, B, H)."""

    def step(self, ids: NDArray[Any], state: State) -> tuple[Array, State]:
        """Read one symbol of each stream, ids (B,); return logits (B, V) and the next state."""

    def read(self, ids: NDArray[Any], state: State) -> State:
        """Read ids (T, B), and return the state after the last."""

    def score(
        self, inputs: NDArray[Any], targets: NDArray[Any], state: State
    ) -> tuple[NDArray[np.float64], State]:
        """Read inputs (T, B); return the nats of targets (T, B) and the state after the last."""


def zero_state(config: ModelConfig, batch_size: int) -> State:
    """A state that has read nothing, each (L, B, H)."""
    shape = (config.num_layers, batch_size, config.hidden_size)
    return tuple(np.zeros(shape, np.float32) for _ in CELLS[config.cell].state)


def input_table(config: ModelConfig, weights: Weights) -> Array:
    """One-hot times a matrix is a row of the matrix: row v is the first layer's share of symbol v.

    A learned embedding folds into the same table, (V + 1, G*H). The last row is the unknown
    symbol's: an all-zero one-hot, so only the bias is left. The product is summed in float64: how a
    machine's BLAS orders it does not show once it is rounded.
    """
    weight_ih = weights["rnn.weight_ih_l0"]  # (G*H, E or V)
    rows = weight_ih.T  # (V, G*H) for one-hot input, else (E, G*H)
    if config.embedding_size:
        embedding = weights["embedding.weight"].astype(np.float64)
        rows = (embedding @ rows).astype(np.float32)  # (V, E) @ (E, G*H)
    unknown = np.zeros((1, weight_ih.shape[0]), np.float32)
    table = np.concatenate([rows, unknown]) + weights["rnn.bias_ih_l0"]
    return np.ascontiguousarray(table)
