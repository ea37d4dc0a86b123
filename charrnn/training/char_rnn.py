"""CharRNN: one-hot input (or a linear embedding of it), a recurrent stack, a linear decoder."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from charrnn.engines.interface import Decoder, Engine, LayerWeights, State, decode
from charrnn.model.cells import CELLS
from charrnn.model.config import ModelConfig

DECODER_WIDTH = 4.0
"""The decoder's initial weights are so many times as wide as a layer's."""


class CharRNN(nn.Module):
    """Predicts the next symbol of each stream.

    Parameters have torch's names and layout: of the cells that torch has, the part below `rnn.`
    loads straight into nn.LSTM(E or V, H, L), nn.GRU or nn.RNN.
    """

    def __init__(
        self, config: ModelConfig, generator: torch.Generator, init_range: float = 0.0
    ) -> None:
        """Draw initial weights from `generator`; see `_initialize` for the distribution."""
        super().__init__()
        self.config = config
        self.embedding = nn.Module()
        self.rnn = nn.Module()
        self.decoder = nn.Module()
        for name, shape in config.parameter_shapes().items():
            owner, _, parameter = name.partition(".")
            self.get_submodule(owner).register_parameter(
                parameter, nn.Parameter(torch.empty(shape))
            )
        self._initialize(generator, init_range)

    @torch.no_grad()
    def _initialize(self, generator: torch.Generator, init_range: float) -> None:
        """U(-1/sqrt(H), 1/sqrt(H)) for a layer, N(0, 1) for the embedding, and a wider decoder.

        The first two are torch's own. A decoder drawn four times as wide learns faster
        (docs/experiments/choosing.md). Biases are zero, and a cell may say otherwise of its layers.
        With an `init_range` X all is U(-X, X) instead, but for biases that a cell wants at a value.
        """
        bound = 1 / math.sqrt(self.config.hidden_size)
        for name, parameter in self.named_parameters():
            if init_range:
                parameter.uniform_(-init_range, init_range, generator=generator)
            elif name == "embedding.weight":
                parameter.normal_(generator=generator)
            elif parameter.dim() == 2:
                width = DECODER_WIDTH * bound if name == "decoder.weight" else bound
                parameter.uniform_(-width, width, generator=generator)
            else:
                parameter.zero_()
        cell = CELLS[self.config.cell]
        for layer in self.layers():
            biases = layer.bias_ih.view(cell.gates, self.config.hidden_size)
            for block, value in enumerate(cell.bias):
                if value:
                    biases[block] = value
            if cell.identity and not init_range:
                nn.init.eye_(layer.recurrent[0])
            if cell.input_std is not None and not init_range:
                layer.weight_ih.normal_(0.0, cell.input_std, generator=generator)

    def layers(self) -> list[LayerWeights]:
        """The stack's parameters, bottom layer first."""
        recurrent = CELLS[self.config.cell].recurrent_shapes(self.config.hidden_size)
        return [
            LayerWeights(
                self.rnn.get_parameter(f"weight_ih_l{layer}"),
                self.rnn.get_parameter(f"bias_ih_l{layer}"),
                tuple(self.rnn.get_parameter(f"{name}_l{layer}") for name in recurrent),
            )
            for layer in range(self.config.num_layers)
        ]

    def initial_state(self, batch_size: int) -> State:
        """Zeros, each (L, B, H), where the parameters are."""
        shape = (self.config.num_layers, batch_size, self.config.hidden_size)
        like = next(self.parameters())
        return tuple(like.new_zeros(shape) for _ in CELLS[self.config.cell].state)

    def forward(
        self,
        ids: Tensor,
        state: State,
        engine: Engine,
        masks: Sequence[Tensor] = (),
    ) -> tuple[Tensor, State]:
        """Ids (T, B) -> logits (T, B, V), final state; `engine` runs the recurrent stack.

        `masks` are L dropout masks (T, B, H), the last one for the top layer's output, each already
        divided by the kept fraction; or none.
        """
        hidden, state = self._hidden(ids, state, engine, masks, ())
        mask = masks[-1] if masks else None
        return decode(hidden, mask, self._decoder_weights(), engine.precision), state

    def mean_nats(
        self,
        ids: Tensor,
        targets: Tensor,
        state: State,
        engine: Engine,
        masks: Sequence[Tensor] = (),
        weight_masks: Sequence[Sequence[Tensor]] = (),
    ) -> tuple[Tensor, State]:
        """Mean nats of targets (T, B) after ids (T, B), final state; the rest as in `forward`.

        `weight_masks` are, for each of L layers, one mask for each of its recurrent matrices; or
        none.
        """
        hidden, state = self._hidden(ids, state, engine, masks, weight_masks)
        mask = masks[-1] if masks else None
        return engine.mean_nats(hidden, mask, self._decoder_weights(), targets), state

    def _hidden(
        self,
        ids: Tensor,
        state: State,
        engine: Engine,
        masks: Sequence[Tensor],
        weight_masks: Sequence[Sequence[Tensor]],
    ) -> tuple[Tensor, State]:
        """The top layer's outputs (T, B, H) before dropout, final state."""
        layers = self.layers()
        if weight_masks:
            layers = [
                _masked(layer, of_layer)
                for layer, of_layer in zip(layers, weight_masks, strict=True)
            ]
        embedding = self.embedding.get_parameter("weight") if self.config.embedding_size else None
        return engine(self.config.cell, ids, embedding, layers, state, masks[:-1])

    def _decoder_weights(self) -> Decoder:
        return Decoder(self.decoder.get_parameter("weight"), self.decoder.get_parameter("bias"))

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """A copy of every parameter as numpy, by name."""
        return {
            name: parameter.detach().cpu().float().numpy().copy()
            for name, parameter in self.named_parameters()
        }

    def load_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Take over every parameter; names and shapes must agree."""
        self.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})


def _masked(layer: LayerWeights, masks: Sequence[Tensor]) -> LayerWeights:
    """The layer with each of its recurrent matrices times its mask."""
    left = iter(masks)
    recurrent = (part * next(left) if part.dim() == 2 else part for part in layer.recurrent)
    return layer._replace(recurrent=tuple(recurrent))
