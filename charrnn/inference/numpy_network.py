"""A trained network in plain numpy: every cell, on every machine.

The equations are those of model/cells.py, against which training is tested too.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.experts.table import Nodes
from charrnn.inference.network import Array, State, input_table, zero_state
from charrnn.inference.numpy_experts import NumpyExperts
from charrnn.inference.quantization import Int8Matrix, squash, to_bf16
from charrnn.model.cells import CELLS, Functions
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SamplingPrecision


class NumpyNetwork:
    """A `Network` that computes one step of all streams at a time, layer by layer."""

    def __init__(
        self, config: ModelConfig, weights: Weights, precision: SamplingPrecision = "fp32"
    ) -> None:
        self.config = config
        self.precision = precision
        cell = CELLS[config.cell]
        self._step = cell.step
        self._functions = Functions.of(squash if precision == "int8" else np.tanh)
        self._table = input_table(config, weights)  # (V + 1, G*H)
        # For each layer (weight_ih, bias_ih, *recurrent); the table stands for the first two of the
        # first layer.
        self._layers = [
            tuple(
                _rounded(weights[f"rnn.{name}_l{layer}"], precision)
                for name in ("weight_ih", "bias_ih", *cell.recurrent_shapes(config.hidden_size))
            )
            for layer in range(config.num_layers)
        ]
        self._decoder = _rounded(weights["decoder.weight"], precision)  # (V, H)
        self._decoder_bias = weights["decoder.bias"]
        self._experts = None
        if config.ngram_order:
            gate = _rounded(weights["experts.gate"], precision)  # (K, H)
            self._experts = NumpyExperts(config, weights, gate, self._functions.sigmoid)

    def initial_state(self, batch_size: int) -> State:
        """The state of streams that have read nothing: zeros."""
        return zero_state(self.config, batch_size)

    def step(self, ids: NDArray[Any], state: State) -> tuple[Array, State]:
        """Read one symbol of each stream, ids (B,); return logits (B, V) and the state after it."""
        carried, nodes, recent = self._walk(ids[None], state)
        carried = self._advance(ids, carried)
        return self._logits(carried[0][-1], nodes[0]), (*carried, *recent)

    def _walk(self, ids: NDArray[Any], state: State) -> tuple[State, Nodes, State]:
        """Let the experts read ids (T, B): (what the cells carry, which `state` holds, each part
        (L, B, H); the experts' contexts after each symbol, (T, B, K); what they remember).

        Without experts K is 0, and they remember nothing.
        """
        if self._experts is None:
            return state, np.empty((*ids.shape, 0), np.int32), ()
        nodes, recent = self._experts.walk(ids, state[-1])
        return state[:-1], nodes, (recent,)

    def _logits(self, h: Array, nodes: Nodes) -> Array:
        """The logits (B, V) for h (B, H), the top layer's output, and the contexts (B, K)."""
        logits: Array = h @ self._decoder.T + self._decoder_bias
        if self._experts is not None:
            self._experts.add(logits, h, nodes)
        return logits

    def _advance(self, ids: NDArray[Any], carried: State) -> State:
        """Let the cells read one symbol of each stream, ids (B,), and return what they carry."""
        x = self._table[ids]  # (B, G*H)
        layers: list[State] = []
        for layer, (weight_ih, bias_ih, *recurrent) in enumerate(self._layers):
            if layer > 0:
                x = layers[-1][0] @ weight_ih.T + bias_ih  # (B, H) -> (B, G*H)
            before = tuple(part[layer] for part in carried)  # each (B, H)
            layers.append(self._step(x, before, tuple(recurrent), self._functions))
        return tuple(np.stack(parts) for parts in zip(*layers, strict=True))

    def read(self, ids: NDArray[Any], state: State) -> State:
        """Read ids (T, B) and return the state after the last step."""
        carried: State = state
        recent: State = ()
        if self._experts is not None:
            carried, recent = state[:-1], (self._experts.table.remember(ids, state[-1]),)
        for ids_of_step in ids:
            carried = self._advance(ids_of_step, carried)
        return (*carried, *recent)

    def score(
        self, inputs: NDArray[Any], targets: NDArray[Any], state: State
    ) -> tuple[NDArray[np.float64], State]:
        """Read inputs (T, B); return the nats (T, B) of targets (T, B) and the state after them."""
        nats = np.empty(targets.shape, np.float64)
        columns = np.arange(targets.shape[1])
        carried, nodes, recent = self._walk(inputs, state)
        for step, (ids, target) in enumerate(zip(inputs, targets, strict=True)):
            carried = self._advance(ids, carried)
            logits = self._logits(carried[0][-1], nodes[step])  # (B, V)
            highest = logits.max(axis=1)  # (B,) taken out, so that no exponential overflows
            log_sum = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
            nats[step] = log_sum - logits[columns, target]
        return nats, (*carried, *recent)


def _rounded(array: Array, precision: SamplingPrecision) -> Any:
    """A matrix as `precision` keeps it. A bias (one axis) always stays float32."""
    if array.ndim == 1 or precision == "fp32":
        return array
    return to_bf16(array) if precision == "bf16" else Int8Matrix(array)
