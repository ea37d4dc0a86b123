"""The model in training: one-hot input or an embedding of it, a recurrent stack, and a decoder.

In shapes, T is the number of steps, B of streams, V of symbols, E the width of the embedding, L the
number of layers, and H the number of units in each.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from charrnn.engines.interface import Decoder, Engine, Experts, LayerWeights, State, decode
from charrnn.experts import layout
from charrnn.experts.table import NONE, Table, shares_of
from charrnn.model.cells import CELLS
from charrnn.model.config import ModelConfig
from charrnn.training.expert_shares import LEAST_LOG_OFFSET, MOST_LOG_OFFSET, expert_shares

DECODER_WIDTH = 4.0
"""How many times as wide as a layer's weights the decoder's are drawn."""


EXPERTS_BEGIN_AT = {
    "experts.weight": 0.15,
    "experts.log_offset": math.log(0.02),
    "experts.gate": 0.0,
}
"""The initial value of every parameter of the experts, by its name."""


class CharRNN(nn.Module):
    """Predicts the next symbol of each stream.

    The parameters have torch's names and layout. For the cells that torch has, those below `rnn.`
    load straight into nn.LSTM(E or V, H, L), nn.GRU or nn.RNN.
    """

    def __init__(
        self,
        config: ModelConfig,
        generator: torch.Generator,
        init_range: float = 0.0,
        table: Table | None = None,
    ) -> None:
        """Draw the initial weights from `generator`; `table` holds the counts for experts, if any.

        By default they are U(-1/sqrt(H), 1/sqrt(H)) in a layer and N(0, 1) in the embedding, as in
        torch, and four times as wide as a layer's in the decoder, which learns faster then
        (docs/experiments/choosing.md). Biases are zero. A cell may begin its layers in another way.
        With an `init_range` X every parameter is U(-X, X) instead, but for biases that a cell wants
        at a value. What the experts begin with is never drawn.
        """
        super().__init__()
        assert (table is not None) == (config.ngram_order > 0)
        self.config = config
        self.table = table
        self._codes = 0 if table is None else int(table.codes.max()) + 1  # that occur
        self.embedding = nn.Module()
        self.rnn = nn.Module()
        self.decoder = nn.Module()
        self.experts = nn.Module()
        for name, shape in config.parameter_shapes().items():
            owner, _, parameter = name.partition(".")
            self.get_submodule(owner).register_parameter(
                parameter, nn.Parameter(torch.empty(shape))
            )
        self._draw_weights(generator, init_range)
        self._set_cell_values(generator, init_range)

    @torch.no_grad()
    def _draw_weights(self, generator: torch.Generator, init_range: float) -> None:
        """Draw every parameter from the distribution of its kind, or all from U(-X, X)."""
        bound = 1 / math.sqrt(self.config.hidden_size)
        for name, parameter in self.named_parameters():
            if name in EXPERTS_BEGIN_AT:
                parameter.fill_(EXPERTS_BEGIN_AT[name])
            elif init_range:
                parameter.uniform_(-init_range, init_range, generator=generator)
            elif name == "embedding.weight":
                parameter.normal_(generator=generator)
            elif parameter.dim() == 2:
                width = DECODER_WIDTH * bound if name == "decoder.weight" else bound
                parameter.uniform_(-width, width, generator=generator)
            else:
                parameter.zero_()

    @torch.no_grad()
    def _set_cell_values(self, generator: torch.Generator, init_range: float) -> None:
        """Set the initial values that the cell wants: its bias, identity and input_std in CELLS."""
        cell = CELLS[self.config.cell]
        for layer in self.layers():
            biases = layer.bias_ih.view(cell.gates, self.config.hidden_size)  # (G, H)
            for block, value in enumerate(cell.bias):
                if value:
                    biases[block] = value
            if cell.identity and not init_range:
                nn.init.eye_(layer.recurrent[0])
            if cell.input_std is not None and not init_range:
                layer.weight_ih.normal_(0.0, cell.input_std, generator=generator)

    def layers(self) -> list[LayerWeights]:
        """The parameters of every layer, the bottom one first."""
        recurrent = CELLS[self.config.cell].recurrent_shapes(self.config.hidden_size)
        return [
            LayerWeights(
                self.rnn.get_parameter(f"weight_ih_l{layer}"),
                self.rnn.get_parameter(f"bias_ih_l{layer}"),
                tuple(self.rnn.get_parameter(f"{name}_l{layer}") for name in recurrent),
            )
            for layer in range(self.config.num_layers)
        ]

    def net_parameters(self) -> dict[str, nn.Parameter]:
        """Every parameter but those of the experts, by its name."""
        return {k: p for k, p in self.named_parameters() if k not in EXPERTS_BEGIN_AT}

    def expert_parameters(self) -> dict[str, nn.Parameter]:
        """The parameters of the experts by their names; empty where there are none."""
        return {k: p for k, p in self.named_parameters() if k in EXPERTS_BEGIN_AT}

    def initial_state(self, batch_size: int) -> State:
        """The state of `batch_size` streams that have read nothing.

        It is zeros (L, B, H) for each name in Cell.state, of the parameters' type and device, and
        with experts of K lengths whole numbers (1, B, K) after them: the last K symbols.
        """
        shape = (self.config.num_layers, batch_size, self.config.hidden_size)
        parameter = next(self.parameters())
        state = tuple(parameter.new_zeros(shape) for _ in CELLS[self.config.cell].state)
        if self.table is None:
            return state
        recent = self.table.nothing_read(batch_size)
        return (*state, torch.from_numpy(recent).to(parameter.device))

    def forward(
        self,
        ids: Tensor,
        state: State,
        engine: Engine,
        masks: Sequence[Tensor] = (),
    ) -> tuple[Tensor, State]:
        """Read ids (T, B) from `state`; return the logits (T, B, V) and the state after them.

        `engine` runs the recurrent stack. `masks` are L dropout masks (T, B, H), which hold 0 or
        1 / (1 - dropout), one for each layer's outputs; or none.
        """
        hidden, after = self._hidden(ids, state, engine, masks, ())  # (T, B, H)
        mask = masks[-1] if masks else None
        experts, after = self._experts(ids, state, after, None, None)
        return decode(hidden, mask, self._decoder_weights(), engine.precision, experts), after

    def mean_nats(
        self,
        ids: Tensor,
        targets: Tensor,
        state: State,
        engine: Engine,
        masks: Sequence[Tensor] = (),
        weight_masks: Sequence[Sequence[Tensor]] = (),
        folds: NDArray[np.uint8] | None = None,
        left_out: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Read ids (T, B); return the mean nats of targets (T, B), a scalar, and the state after.

        `state`, `engine` and `masks` are those of `forward`. `weight_masks` are, for each of L
        layers, one mask for each of its recurrent matrices, of its shape; or none. `folds` (T, B)
        are those whose counts are held out; None: no counts are. `left_out` (B,) says for which
        streams the experts are; None: for none.
        """
        hidden, after = self._hidden(ids, state, engine, masks, weight_masks)  # (T, B, H)
        mask = masks[-1] if masks else None
        experts, after = self._experts(ids, state, after, folds, left_out)
        return engine.mean_nats(hidden, mask, self._decoder_weights(), targets, experts), after

    @torch.no_grad()
    def nats(
        self, ids: Tensor, targets: Tensor, state: State, engine: Engine
    ) -> tuple[Tensor, State]:
        """Read ids (T, B) without dropout; return what each of targets (T, B) costs, in nats, and
        the state after.
        """
        hidden, after = self._hidden(ids, state, engine, (), ())  # (T, B, H)
        experts, after = self._experts(ids, state, after, None, None)
        return engine.nats(hidden, self._decoder_weights(), targets, experts), after

    def _hidden(
        self,
        ids: Tensor,
        state: State,
        engine: Engine,
        masks: Sequence[Tensor],
        weight_masks: Sequence[Sequence[Tensor]],
    ) -> tuple[Tensor, State]:
        """The top layer's outputs (T, B, H), before dropout, and the cells' state after ids."""
        state = state[: len(CELLS[self.config.cell].state)]
        layers = self.layers()
        if weight_masks:
            layers = [
                _masked(layer, layer_masks)
                for layer, layer_masks in zip(layers, weight_masks, strict=True)
            ]
        embedding = self.embedding.get_parameter("weight") if self.config.embedding_size else None
        return engine(self.config.cell, ids, embedding, layers, state, masks[:-1])

    def _experts(
        self,
        ids: Tensor,
        state: State,
        after: State,
        folds: NDArray[np.uint8] | None,
        left_out: Tensor | None,
    ) -> tuple[Experts | None, State]:
        """(the experts over ids (T, B), or None; `after`, the state of the cells, with theirs)."""
        if self.table is None:
            return None, after
        nodes, recent = self.table.walk(
            ids.cpu().numpy(), state[-1].cpu().numpy(), torch.get_num_threads()
        )
        if left_out is not None:
            nodes[:, left_out.cpu().numpy()] = NONE
        gate = self.experts.get_parameter("gate")
        experts = Experts(gate, self.shares(), self.table, nodes, folds)
        return experts, (*after, torch.from_numpy(recent).to(ids.device))

    def shares(self) -> Tensor:
        """What each count adds to a symbol's logit, (K, BUCKETS, CODES)."""
        weight, log_offset = (self.experts.get_parameter(n) for n in ("weight", "log_offset"))
        return expert_shares(weight, log_offset, self._codes)

    def _decoder_weights(self) -> Decoder:
        """The decoder's parameters."""
        return Decoder(self.decoder.get_parameter("weight"), self.decoder.get_parameter("bias"))

    def weights(self) -> dict[str, NDArray[Any]]:
        """A copy of every parameter by its name, in float32 on the CPU, and the experts' counts."""
        weights: dict[str, NDArray[Any]] = {
            name: parameter.detach().cpu().float().numpy().copy()
            for name, parameter in self.named_parameters()
        }
        if self.table is not None:
            weight, log_offset = (weights[f"experts.{name}"] for name in ("weight", "log_offset"))
            bounded = log_offset.clip(LEAST_LOG_OFFSET, MOST_LOG_OFFSET)
            weights |= layout.to_tensors(self.table, shares_of(weight, bounded))
        return weights

    def load_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Take every parameter over from `weights`, by its name; the counts stay the model's own.

        Raises RuntimeError unless names and shapes are those of the model.
        """
        parameters = {k: torch.from_numpy(v) for k, v in weights.items() if k not in layout.NAMES}
        self.load_state_dict(parameters)


def _masked(layer: LayerWeights, masks: Sequence[Tensor]) -> LayerWeights:
    """The layer with each of its recurrent matrices times its mask; biases are never dropped."""
    next_mask = iter(masks)
    recurrent = tuple(
        weight * next(next_mask) if weight.dim() == 2 else weight for weight in layer.recurrent
    )
    return layer._replace(recurrent=recurrent)
