"""torch's own recurrent kernels, those behind nn.LSTM: oneDNN on a CPU, cuDNN on a GPU."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from charrnn.engines.interface import LayerWeights, Masks, PlainLoss, State
from charrnn.model.cells import CellName
from charrnn.model.precision import Precision

KERNELS = {"rnn": torch.rnn_tanh, "irnn": torch.rnn_relu, "gru": torch.gru}
"""torch's kernel of every cell whose state is h alone. torch.lstm carries c, too, and is called in
another way."""


class TorchEngine(PlainLoss):
    """Runs a stack with one kernel call for each layer: the dropout masks between layers are ours.

    torch's kernels read vectors, not a table. With an embedding its rows are looked up; without one
    the one-hot vectors (T, B, V) are really made, which no other engine needs.
    """

    name = "torch"

    def __init__(self, precision: Precision) -> None:
        """Run the products in `precision`: bf16 by autocast; weights and gradients stay float32."""
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
        """Run the stack over ids (T, B), as Engine says, for a cell that torch has a kernel for."""
        if embedding is None:
            vocab_size = layers[0].weight_ih.shape[1]
            x = functional.one_hot(ids, vocab_size).to(layers[0].weight_ih.dtype)  # (T, B, V)
        else:
            x = functional.embedding(ids, embedding)  # (T, B, E)
        finals: list[State] = []  # for each layer (1, B, H) for each name in Cell.state
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            for index, layer in enumerate(layers):
                if index > 0 and masks:
                    x = x * masks[index - 1]  # (T, B, H)
                carried = tuple(part[index : index + 1] for part in state)  # each (1, B, H)
                x, carried = _run_layer(cell, x, carried, layer)
                finals.append(carried)
        final = tuple(torch.cat(parts).to(state[0].dtype) for parts in zip(*finals, strict=True))
        return x, final


def _run_layer(
    cell: CellName, x: Tensor, state: State, layer: LayerWeights
) -> tuple[Tensor, State]:
    """Read x (T, B, I) with one layer; return its outputs (T, B, H) and its state after them.

    The state, before and after, is one array (1, B, H) for each name in Cell.state.
    """
    weight_hh, bias_hh = layer.recurrent
    weights = [layer.weight_ih, weight_hh, layer.bias_ih, bias_hh]
    # The weights have biases, of 1 layer, with no dropout; the kernel keeps what a gradient needs;
    # it reads in one direction, and time comes before the batch.
    options = (weights, True, 1, 0.0, torch.is_grad_enabled(), False, False)
    if cell == "lstm":
        outputs, *state_after = torch.lstm(x, state, *options)
        return outputs, tuple(state_after)
    outputs, h = KERNELS[cell](x, state[0], *options)
    return outputs, (h,)
