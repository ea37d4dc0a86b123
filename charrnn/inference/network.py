"""A trained model as sampling and scoring see it, and what all networks are made with. No torch."""

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from charrnn.model.cells import CELLS
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SamplingPrecision

Array: TypeAlias = NDArray[np.float32]
State: TypeAlias = tuple[NDArray[Any], ...]
"""What is carried from one step to the next: one array (L, B, H) for each name in Cell.state. Of a
model with n-gram experts one more, `recent`, int32 (1, B, K): the last K symbols that were read,
the newest last, each as its id + 1, where 0 is none. All parts are 0 where nothing was read."""


class Network(Protocol):
    """A trained model that reads and predicts ids. It never changes a state that it is given.

    Its ids lie below V, or are the unknown symbol's id V.
    """

    config: ModelConfig
    precision: SamplingPrecision

    def initial_state(self, batch_size: int) -> State:
        """The state of streams that have read nothing: zeros."""

    def step(self, ids: NDArray[Any], state: State) -> tuple[Array, State]:
        """Read one symbol of each stream, ids (B,); return logits (B, V) and the state after it."""

    def read(self, ids: NDArray[Any], state: State) -> State:
        """Read ids (T, B) and return the state after the last step."""

    def score(
        self, inputs: NDArray[Any], targets: NDArray[Any], state: State
    ) -> tuple[NDArray[np.float64], State]:
        """Read inputs (T, B); return the nats (T, B) of targets (T, B) and the state after them."""


def zero_state(config: ModelConfig, batch_size: int) -> State:
    """The state of streams that have read nothing: zeros, as State describes them."""
    shape = (config.num_layers, batch_size, config.hidden_size)
    state: list[NDArray[Any]] = [np.zeros(shape, np.float32) for _ in CELLS[config.cell].state]
    if config.ngram_order:
        state.append(np.zeros((1, batch_size, config.ngram_order), np.int32))
    return tuple(state)


def input_table(config: ModelConfig, weights: Weights) -> Array:
    """The table (V + 1, G*H) whose row v is the input of the first layer's gates for symbol v.

    A one-hot vector times a matrix is a row of the matrix, and a learned embedding folds into the
    same rows. The last row is the unknown symbol's: its one-hot vector is all zeros, so that only
    the bias is left. The product is summed in float64, so that the order in which a machine's BLAS
    sums does not show once it is rounded.
    """
    weight_ih = weights["rnn.weight_ih_l0"]  # (G*H, E or V)
    rows = weight_ih.T  # (V, G*H) for one-hot input, else (E, G*H)
    if config.embedding_size:
        embedding = weights["embedding.weight"].astype(np.float64)
        rows = (embedding @ rows).astype(np.float32)  # (V, E) @ (E, G*H)
    unknown = np.zeros((1, weight_ih.shape[0]), np.float32)
    table = np.concatenate([rows, unknown]) + weights["rnn.bias_ih_l0"]
    return np.ascontiguousarray(table)
