"""The equations of model/cells.py, step by step: slow, exact, the judge of every other engine."""

from collections.abc import Sequence

import torch
from torch import Tensor

from charrnn.engines.interface import LayerWeights, Masks, PlainLoss, State, input_table
from charrnn.model.cells import CELLS, CellName, Functions
from charrnn.model.precision import Precision

FUNCTIONS = Functions(torch.tanh, torch.sigmoid)
"""The functions of torch with which a cell's step runs on tensors."""


class ReferenceEngine(PlainLoss):
    """Runs every cell as its equations, in the number type of its weights; torch differentiates."""

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
        """Run the stack over ids (T, B), as Engine says: the same for every cell."""
        step = CELLS[cell].step
        x = input_table(embedding, layers[0])[ids]  # (T, B, G*H)
        finals: list[State] = []  # for each layer (B, H) for each name in Cell.state
        outputs = x
        for index, layer in enumerate(layers):
            if index > 0:
                below = outputs * masks[index - 1] if masks else outputs  # (T, B, H)
                x = below @ layer.weight_ih.T + layer.bias_ih  # (T, B, G*H)
            carried = tuple(part[index] for part in state)  # each (B, H)
            hidden = []
            for x_t in x:  # (B, G*H)
                carried = step(x_t, carried, layer.recurrent, FUNCTIONS)
                hidden.append(carried[0])
            outputs = torch.stack(hidden)  # (T, B, H)
            finals.append(carried)
        return outputs, tuple(torch.stack(parts) for parts in zip(*finals, strict=True))
