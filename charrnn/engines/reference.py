"""The equations of model/cells.py, step by step: slow, exact, the judge of every other engine."""

from collections.abc import Sequence

import torch
from torch import Tensor

from charrnn.engines.interface import LayerWeights, Masks, PlainLoss, State, input_table
from charrnn.model.cells import CELLS, CellName, Functions
from charrnn.model.precision import Precision

FUNCTIONS = Functions(torch.tanh, torch.sigmoid)


class ReferenceEngine(PlainLoss):
    """Runs in whatever precision its weights have; gradients by automatic differentiation."""

    name = "reference"
    precision: Precision = "fp32"

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
        step = CELLS[cell].step
        x = input_table(embedding, layers[0])[ids]  # (T, B, G*H)
        finals: list[State] = []
        outputs = x
        for index, layer in enumerate(layers):
            if index > 0:
                below = outputs * masks[index - 1] if masks else outputs  # (T, B, H)
                x = below @ layer.weight_ih.T + layer.bias_ih  # (T, B, G*H)
            carried = tuple(part[index] for part in state)  # each (B, H)
            hidden = []
            for x_t in x:
                carried = step(x_t, carried, layer.recurrent, FUNCTIONS)
                hidden.append(carried[0])
            outputs = torch.stack(hidden)  # (T, B, H)
            finals.append(carried)
        return outputs, tuple(torch.stack(parts) for parts in zip(*finals, strict=True))
