"""A trained model as sampling and scoring see it, and its plain numpy maker. No torch.

The equations are those of model/cells.py, the ones that training is tested against.
"""

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import Weights
from charrnn.engines.config import SamplingPrecision
from charrnn.model.cells import CELLS, Functions
from charrnn.model.config import ModelConfig
from charrnn.quantization import Int8Matrix, squash, to_bf16

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


class NumpyNetwork:
    """The plain numpy maker: every cell, anywhere numpy runs."""

    def __init__(
        self, config: ModelConfig, weights: Weights, precision: SamplingPrecision = "fp32"
    ) -> None:
        self.config = config
        self.precision = precision
        cell = CELLS[config.cell]
        self._step = cell.step
        self._functions = Functions.of(squash if precision == "int8" else np.tanh)
        self._table = input_table(config, weights)  # (V + 1, G*H)
        self._layers = [
            tuple(
                _rounded(weights[f"rnn.{name}_l{layer}"], precision)
                for name in ("weight_ih", "bias_ih", *cell.recurrent_shapes(config.hidden_size))
            )
            for layer in range(config.num_layers)
        ]
        self._decoder = _rounded(weights["decoder.weight"], precision)  # (V, H)
        self._decoder_bias = weights["decoder.bias"]

    def initial_state(self, batch_size: int) -> State:
        """Zeros, each (L, B, H)."""
        return zero_state(self.config, batch_size)

    def step(self, ids: NDArray[Any], state: State) -> tuple[Array, State]:
        """Read ids (B,), each below V or the unknown id V; return logits (B, V), next state."""
        state = self._advance(ids, state)
        return state[0][-1] @ self._decoder.T + self._decoder_bias, state  # (B, V)

    def _advance(self, ids: NDArray[Any], state: State) -> State:
        x = self._table[ids]  # (B, G*H)
        layers: list[State] = []
        for layer, (weight_ih, bias_ih, *recurrent) in enumerate(self._layers):
            if layer > 0:
                x = layers[-1][0] @ weight_ih.T + bias_ih  # (B, H) -> (B, G*H)
            before = tuple(part[layer] for part in state)  # each (B, H)
            layers.append(self._step(x, before, tuple(recurrent), self._functions))
        return tuple(np.stack(parts) for parts in zip(*layers, strict=True))

    def read(self, ids: NDArray[Any], state: State) -> State:
        """See Network."""
        for row in ids:
            state = self._advance(row, state)
        return state

    def score(
        self, inputs: NDArray[Any], targets: NDArray[Any], state: State
    ) -> tuple[NDArray[np.float64], State]:
        """See Network."""
        nats = np.empty(targets.shape, np.float64)
        columns = np.arange(targets.shape[1])
        for step, (ids, target) in enumerate(zip(inputs, targets, strict=True)):
            logits, state = self.step(ids, state)  # (B, V)
            highest = logits.max(axis=1)
            log_sum = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
            nats[step] = log_sum - logits[columns, target]
        return nats, state


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


def _rounded(array: Array, precision: SamplingPrecision) -> Any:
    """A matrix as `precision` keeps it; a bias as it is."""
    if array.ndim == 1 or precision == "fp32":
        return array
    return to_bf16(array) if precision == "bf16" else Int8Matrix(array)
