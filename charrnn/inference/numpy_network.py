"""The network in plain numpy: every cell, anywhere that numpy runs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.network import Array, State, input_table, zero_state
from charrnn.inference.quantization import Int8Matrix, squash, to_bf16
from charrnn.model.cells import CELLS, Functions
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SamplingPrecision


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


def _rounded(array: Array, precision: SamplingPrecision) -> Any:
    """A matrix as `precision` keeps it; a bias as it is."""
    if array.ndim == 1 or precision == "fp32":
        return array
    return to_bf16(array) if precision == "bf16" else Int8Matrix(array)
