"""A trained model, one step at a time, in numpy: `step(ids, state) -> logits, state`. No torch.

The equations are those of model/cells.py, the ones that training is tested against.
"""

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import Weights
from charrnn.model.cells import CELLS
from charrnn.model.config import STATES, ModelConfig

Array: TypeAlias = NDArray[np.float32]
State: TypeAlias = tuple[Array, ...]
"""The arrays of STATES[cell], each (L, B, H)."""


class Stepper(Protocol):
    """What the sampler and the scorer need of a model."""

    def initial_state(self, batch_size: int) -> State:
        """A state that has read nothing: zeros, each (L, B, H)."""

    def step(self, ids: NDArray[Any], state: State) -> tuple[Array, State]:
        """Read one symbol of each stream, ids (B,); return logits (B, V) and the next state."""


class NumpyStepper:
    """The plain numpy maker: every cell, anywhere numpy runs."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.config = config
        self._cell = CELLS[config.cell]
        self._table = _input_table(config, weights)  # (V + 1, G*H)
        self._layers = [
            tuple(
                weights[f"rnn.{name}_l{layer}"]
                for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
            )
            for layer in range(config.num_layers)
        ]
        self._decoder = np.ascontiguousarray(weights["decoder.weight"].T)  # (H, V)
        self._decoder_bias = weights["decoder.bias"]

    def initial_state(self, batch_size: int) -> State:
        """Zeros, each (L, B, H)."""
        shape = (self.config.num_layers, batch_size, self.config.hidden_size)
        return tuple(np.zeros(shape, np.float32) for _ in STATES[self.config.cell])

    def step(self, ids: NDArray[Any], state: State) -> tuple[Array, State]:
        """Read ids (B,), each below V or the unknown id V; return logits (B, V), next state."""
        x = self._table[ids]  # (B, G*H)
        layers: list[State] = []
        for layer, (weight_ih, bias_ih, weight_hh, bias_hh) in enumerate(self._layers):
            if layer > 0:
                x = layers[-1][0] @ weight_ih.T + bias_ih  # (B, H) -> (B, G*H)
            before = tuple(part[layer] for part in state)  # each (B, H)
            layers.append(self._cell(x, before, weight_hh, bias_hh, np.tanh))
        logits = layers[-1][0] @ self._decoder + self._decoder_bias  # (B, V)
        return logits, tuple(np.stack(parts) for parts in zip(*layers, strict=True))


def _input_table(config: ModelConfig, weights: Weights) -> Array:
    """One-hot times a matrix is a row of the matrix: row v is the first layer's share of symbol v.

    A learned embedding folds into the same table. The last row is the unknown symbol's: an all-zero
    one-hot, so only the bias is left.
    """
    weight_ih = weights["rnn.weight_ih_l0"]  # (G*H, E or V)
    rows = weight_ih.T  # (V, G*H) for one-hot input, else (E, G*H)
    if config.embedding_size:
        rows = weights["embedding.weight"] @ rows  # (V, E) @ (E, G*H)
    unknown = np.zeros((1, weight_ih.shape[0]), np.float32)
    return np.asarray(np.concatenate([rows, unknown]) + weights["rnn.bias_ih_l0"])
