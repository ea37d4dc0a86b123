"""What an engine is: the whole recurrent stack over one window of T steps and B streams.

An engine reads ids and returns the top layer's outputs and the final state, differentiably in every
weight. State and dropout masks are arguments; nothing is kept between calls.

In shapes, V is the number of symbols, E the width of the embedding, L the number of layers, H the
number of units in each, G the number of gates of the cell, and I the width of a layer's input: E or
V in the first layer, H above it.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from charrnn.corpus.windows import NOT_COUNTED
from charrnn.experts.table import Nodes, Table
from charrnn.model.cells import CellName
from charrnn.model.precision import Precision

State: TypeAlias = tuple[Tensor, ...]
"""What a stack carries from window to window: for each name in Cell.state an array (L, B, H)."""
Masks: TypeAlias = Sequence[Tensor]
"""Dropout masks between layers, L - 1 of (T, B, H), which hold 0 or 1 / (1 - dropout); or none."""


class LayerWeights(NamedTuple):
    """One layer's parameters in torch's layout, whose G gate blocks have H rows each."""

    weight_ih: Tensor
    """Matrix of the layer's input, (G*H, I)."""
    bias_ih: Tensor
    """Bias of the layer's input, (G*H,)."""
    recurrent: tuple[Tensor, ...]
    """The weights that the cell's step takes, in the order of Cell.recurrent: for every cell that
    an engine but the reference runs, weight_hh (G*H, H) and bias_hh (G*H,)."""


class Decoder(NamedTuple):
    """The linear map from the top layer's outputs to logits."""

    weight: Tensor
    """Matrix of the decoder, (V, H)."""
    bias: Tensor
    """Bias of the decoder, (V,)."""


class Experts(NamedTuple):
    """The n-gram experts beside a decoder, over one window (charrnn/experts/).

    K is the length of the longest contexts.
    """

    gate: Tensor
    """Matrix of the gates, (K, H): the experts' shares of length k are multiplied by 2 sigmoid of
    its row k times the top layer's output."""
    shares: Tensor
    """What each count adds to a symbol's logit, (K, BUCKETS, CODES)."""
    table: Table
    """The counts."""
    nodes: Nodes
    """The context of each length at every step, (T, B, K); NONE where there is none."""
    folds: NDArray[np.uint8] | None
    """The fold whose counts are held out at each step, (T, B); None: no counts are."""


class Engine(Protocol):
    """Runs a stack of layers of one kind of cell over a window."""

    name: str
    """The engine's name, which is what --engine takes."""
    precision: Precision
    """Number type of the engine's matrix products, and of the decoder's product after them."""

    def __call__(
        self,
        cell: CellName,
        ids: Tensor,
        embedding: Tensor | None,
        layers: Sequence[LayerWeights],
        state: State,
        masks: Masks,
    ) -> tuple[Tensor, State]:
        """Read ids (T, B); return the top layer's outputs (T, B, H) and the state after them.

        `embedding` (V, E) is the linear embedding of the one-hot input; None feeds the one-hot
        vectors themselves. `layers` has the bottom layer first, and `masks` what is dropped of each
        layer's outputs but the top one's.
        """

    def mean_nats(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        decoder: Decoder,
        targets: Tensor,
        experts: Experts | None = None,
    ) -> Tensor:
        """The mean of -ln p(target) over targets (T, B), a scalar.

        p is decoded from hidden (T, B, H), times `mask` (T, B, H) if there is one, and from the
        shares of `experts`. Targets that are NOT_COUNTED (corpus/windows.py) are left out.
        """

    def nats(
        self, hidden: Tensor, decoder: Decoder, targets: Tensor, experts: Experts | None = None
    ) -> Tensor:
        """-ln p(target) of each of targets (T, B), without a gradient; else as `mean_nats`."""


def input_table(embedding: Tensor | None, first: LayerWeights) -> Tensor:
    """What the first layer's gates get of each symbol, (V, G*H): its row, W_ih x + b_ih.

    One-hot times W_ih^T is a row of W_ih^T. A linear embedding (V, E) folds into the same table.
    """
    rows = first.weight_ih.T if embedding is None else embedding @ first.weight_ih.T  # (V, G*H)
    return rows + first.bias_ih


def decode(
    hidden: Tensor,
    mask: Tensor | None,
    decoder: Decoder,
    precision: Precision,
    experts: Experts | None = None,
) -> Tensor:
    """The logits (T, B, V) of hidden (T, B, H), times `mask` (T, B, H) if there is one.

    "bf16" runs the products in bfloat16; the logits have the type of the decoder's weights. They
    include the shares of `experts`.
    """
    weight, bias = decoder
    hidden = (hidden if mask is None else hidden * mask).to(weight.dtype)  # (T, B, H)
    with torch.autocast(hidden.device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits = functional.linear(hidden, weight, bias)  # (T, B, V)
        gates = None if experts is None else functional.linear(hidden, experts.gate)  # (T, B, K)
    logits = logits.to(weight.dtype)
    if experts is None or gates is None:
        return logits
    return logits + _shares(experts, 2 * torch.sigmoid(gates.to(weight.dtype)), len(weight))


def _shares(experts: Experts, gates: Tensor, vocab_size: int) -> Tensor:
    """What the experts add to the logits, (T, B, V), times gates (T, B, K)."""
    steps, batch, lengths = gates.shape
    nodes = experts.nodes.reshape(-1, lengths)
    folds = None if experts.folds is None else experts.folds.reshape(-1)
    all_entries = [experts.table.entries(nodes[:, k], folds) for k in range(lengths)]
    parts = []
    for k, entries in enumerate(all_entries):
        rows, slots = (
            torch.from_numpy(part).to(gates.device) for part in (entries.rows, entries.slots)
        )
        shares = experts.shares[k].flatten().index_select(0, slots)
        parts.append(gates[..., k].flatten().index_select(0, rows) * shares)
    places = np.concatenate(
        [entries.rows * vocab_size + entries.symbols for entries in all_entries]
    )
    flat = gates.new_zeros(steps * batch * vocab_size)
    flat = flat.index_add(0, torch.from_numpy(places).to(gates.device), torch.cat(parts))
    return flat.view(steps, batch, vocab_size)


class PlainLoss:
    """The loss of an engine that has no kernel of its own for it: decoder and loss by torch."""

    precision: Precision

    def mean_nats(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        decoder: Decoder,
        targets: Tensor,
        experts: Experts | None = None,
    ) -> Tensor:
        """The mean nats of targets (T, B), as Engine.mean_nats says."""
        logits = decode(hidden, mask, decoder, self.precision, experts)  # (T, B, V)
        return functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=NOT_COUNTED
        )

    def nats(
        self, hidden: Tensor, decoder: Decoder, targets: Tensor, experts: Experts | None = None
    ) -> Tensor:
        """What each of targets (T, B) costs, as Engine.nats says."""
        logits = decode(hidden, None, decoder, self.precision, experts)  # (T, B, V)
        nats = functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=NOT_COUNTED, reduction="none"
        )
        return nats.view(targets.shape)
