"""torch's own recurrent kernels, those behind nn.LSTM: oneDNN on a CPU, cuDNN on a GPU."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from charrnn.engines.interface import LayerWeights, Masks, PlainLoss, State
from charrnn.model.cells import CellName
from charrnn.model.precision import Precision

KERNELS = {"rnn": torch.rnn_tanh, "irnn": torch.rnn_relu, "gru": torch.gru}
"""Of the cells that carry h alone."""


class TorchEngine(PlainLoss):
    """One kernel call per layer, so that the dropout masks between layers can be ours.

    These kernels read vectors, not a table: with a learned embedding its rows are looked up; pure
    one-hot input is the one case in which the one-hot vectors (T, B, V) are really made.
    """

    name = "torch"

    def __init__(self, precision: Precision) -> None:
        """bf16 runs the products in bfloat16 under autocast; weights and gradients stay float32."""
        self.precision: Precision = precision

    def __call__(
        self,
        cell: CellName,
        ids: Tensor,
        embedding: Tensor | None,
        layers: Sequence[LayerWeights],
        state: State,
        masks: Masks,
    ) -> tuple[Tensor, State]:
        """See Engine."""
        if embedding is None:
            vocab_size = layers[0].weight_ih.shape[1]
            x = functional.one_hot(ids, vocab_size).to(layers[0].weight_ih.dtype)  # (T, B, V)
        else:
            x = functional.embedding(ids, embedding)  # (T, B, E)
        finals: list[State] = []
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            for index, layer in enumerate(layers):
                if index > 0 and masks:
                    x = x * masks[index - 1]
                carried = tuple(part[index : index + 1] for part in state)  # each (1, B, H)
                x, carried = _run_layer(cell, x, carried, layer)
                finals.append(carried)
        final = tuple(torch.cat(parts).to(state[0].dtype) for parts in zip(*finals, strict=True))
        return x, final


def _run_layer(
    cell: CellName, x: Tensor, state: State, layer: LayerWeights
) -> tuple[Tensor, State]:
    """One layer through torch's kernel: x (T, B, I) -> (T, B, H), state."""
    weight_hh, bias_hh = layer.recurrent
    weights = [layer.weight_ih, weight_hh, layer.bias_ih, bias_hh]
    options = (weights, True, 1, 0.0, torch.is_grad_enabled(), False, False)
    if cell == "lstm":
        outputs, *carried = torch.lstm(x, state, *options)
        return outputs, tuple(carried)
    outputs, hidden = KERNELS[cell](x, state[0], *options)
    return outputs, (hidden,)
