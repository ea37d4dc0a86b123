"""The cost of text to a model in training: the torch side of inference/scoring.py."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.engines.interface import Engine
from charrnn.inference.network import State
from charrnn.training.char_rnn import CharRNN


class TorchScorer:
    """A `Scorer` for a model in training, which it reads without dropout.

    The state that training carries is left alone.
    """

    def __init__(self, model: CharRNN, engine: Engine) -> None:
        """`engine` computes the scores; training may use another one, of lower precision."""
        self.config = model.config
        self._model = model
        self._engine = engine
        self._device = next(model.parameters()).device

    def initial_state(self, batch_size: int) -> State:
        """The state of streams that have read nothing: zeros, each part (L, B, H)."""
        return tuple(part.cpu().numpy() for part in self._model.initial_state(batch_size))

    def score(
        self, inputs: NDArray[Any], targets: NDArray[Any], state: State
    ) -> tuple[NDArray[np.float64], State]:
        """Read inputs (T, B); return the nats (T, B) of targets (T, B) and the state after them."""
        if len(inputs) == 0:
            return np.zeros(targets.shape), state
        carried = tuple(torch.from_numpy(part).to(self._device) for part in state)
        ids, wanted = self._ids(inputs), self._ids(targets)
        nats, carried = self._model.nats(ids, wanted, carried, self._engine)  # (T, B)
        return nats.double().cpu().numpy(), tuple(part.cpu().numpy() for part in carried)

    def _ids(self, ids: NDArray[Any]) -> torch.Tensor:
        """The ids (T, B) as torch's integers on the model's device."""
        return torch.from_numpy(np.ascontiguousarray(ids, dtype=np.int64)).to(self._device)
