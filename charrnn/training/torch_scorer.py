"""The torch side of scoring: a window of text through a model that is being trained."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from charrnn.engines.interface import Engine
from charrnn.inference.network import State
from charrnn.training.char_rnn import CharRNN


class TorchScorer:
    """Scores windows in float32, without dropout, with a state of its own."""

    def __init__(self, model: CharRNN, engine: Engine) -> None:
        self.config = model.config
        self._model = model
        self._engine = engine
        self._device = next(model.parameters()).device

    def initial_state(self, batch_size: int) -> State:
        """Zeros, each (L, B, H)."""
        return tuple(part.cpu().numpy() for part in self._model.initial_state(batch_size))

    @torch.no_grad()
    def score(
        self, inputs: NDArray[Any], targets: NDArray[Any], state: State
    ) -> tuple[NDArray[np.float64], State]:
        """Read inputs (T, B); return nats (T, B) and the state after the last step."""
        if len(inputs) == 0:
            return np.zeros(targets.shape), state
        carried = tuple(torch.from_numpy(part).to(self._device) for part in state)
        logits, carried = self._model(self._ids(inputs), carried, self._engine)  # (T, B, V)
        nats = functional.cross_entropy(
            logits.flatten(0, 1), self._ids(targets).flatten(), reduction="none"
        )  # (T * B,)
        return (
            nats.double().cpu().numpy().reshape(targets.shape),
            tuple(part.cpu().numpy() for part in carried),
        )

    def _ids(self, ids: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(ids, dtype=np.int64)).to(self._device)
