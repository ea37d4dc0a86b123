"""What an engine is: the whole recurrent stack over one window of T steps and B streams.

An engine reads ids and returns the top layer's outputs and the final state, differentiably in every
weight. State and dropout masks are arguments; nothing is kept between calls.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from charrnn.corpus.windows import NOT_COUNTED
from charrnn.model.cells import CellName
from charrnn.model.precision import Precision

State: TypeAlias = tuple[Tensor, ...]
"""The arrays of Cell.state, each (L, B, H)."""
Masks: TypeAlias = Sequence[Tensor]
"""L - 1 dropout masks (T, B, H) between layers, already divided by the kept fraction; or none."""


class LayerWeights(NamedTuple):
    """One layer's parameters in torch's layout, G gate blocks of H rows."""

    weight_ih: Tensor  # (G*H, I)
    bias_ih: Tensor  # (G*H,)
    recurrent: tuple[Tensor, ...]
    """Those that the cell's step takes, as Cell.recurrent says: weight_hh (G*H, H) and bias_hh
    (G*H,) of every cell that an engine but the reference runs."""


class Decoder(NamedTuple):
    """The linear map from the top layer's outputs to logits."""

    weight: Tensor  # (V, H)
    bias: Tensor  # (V,)


class Engine(Protocol):
    """Runs the stack of one kind of cell over a window."""

    name: str
    precision: Precision
    """Of its matrix products; the decoder after it uses the same."""

    def __call__(
        self,
        cell: CellName,
        ids: Tensor,
        embedding: Tensor | None,
        layers: Sequence[LayerWeights],
        state: State,
        masks: Masks,
    ) -> tuple[Tensor, State]:
        """Ids (T, B), embedding (V, E) or None for one-hot -> outputs (T, B, H), final state."""

    def mean_nats(
        self, hidden: Tensor, mask: Tensor | None, decoder: Decoder, targets: Tensor
    ) -> Tensor:
        """The mean of -ln p(target) over targets (T, B), decoded from hidden (T, B, H) * mask.

        Targets that are NOT_COUNTED (corpus/windows.py) are left out.
        """


def input_table(embedding: Tensor | None, first: LayerWeights) -> Tensor:
    """The first layer's share of each symbol, (V, G*H): one-hot times W_ih^T is a row of W_ih^T.

    A learned linear embedding of the one-hot folds into the same table.
    """
    rows = first.weight_ih.T if embedding is None else embedding @ first.weight_ih.T
    return rows + first.bias_ih


def decode(hidden: Tensor, mask: Tensor | None, decoder: Decoder, precision: Precision) -> Tensor:
    """Hidden (T, B, H) times mask (T, B, H), if any -> logits (T, B, V)."""
    weight, bias = decoder
    hidden = (hidden if mask is None else hidden * mask).to(weight.dtype)
    with torch.autocast(hidden.device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits = functional.linear(hidden, weight, bias)
    return logits.to(weight.dtype)


class PlainLoss:
    """mean_nats by torch's own functions."""

    precision: Precision

    def mean_nats(
        self, hidden: Tensor, mask: Tensor | None, decoder: Decoder, targets: Tensor
    ) -> Tensor:
        """See Engine."""
        logits = decode(hidden, mask, decoder, self.precision)
        return functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=NOT_COUNTED
        )
