"""The peer: training and sampling by torch.nn as a PyTorch user writes them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.shape import VOCABULARY, Shape
from charrnn.model.config import ModelConfig

MODULES: dict[str, Callable[..., nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
"""The recurrent stacks that torch.nn has, by the names of our cells."""

State = Tensor | tuple[Tensor, Tensor] | None
"""What a stack of torch.nn carries on: h or, for an LSTM, h and c; None stands for zeros."""


class TextbookModel(nn.Module):
    """An embedding, a stack of torch.nn, dropout between its layers and behind it, a decoder."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        between = config.dropout if config.num_layers > 1 else 0.0
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size)
        self.stack = MODULES[config.cell](
            config.embedding_size, config.hidden_size, config.num_layers, dropout=between
        )
        self.dropout = nn.Dropout(config.dropout)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Return logits (T, B, V) for ids (T, B), and the state behind them."""
        hidden, state = self.stack(self.embedding(ids), state)  # (T, B, H)
        return self.decoder(self.dropout(hidden)), state


class TextbookTraining:
    """Forward, backward, clipping and torch.optim.AdamW on one window of made-up text."""

    def __init__(self, shape: Shape, device: str, autocast: bool, dropout: float) -> None:
        """autocast: let torch take bfloat16 where it finds it good enough."""
        self._device, self._autocast = device, autocast
        self._model = TextbookModel(shape.model(dropout)).to(device)
        self._parameters = list(self._model.parameters())
        self._optimizer = torch.optim.AdamW(self._parameters, lr=1e-3, fused=device == "cuda")
        sizes = (shape.seq_len + 1, shape.batch_size)
        self._ids = torch.randint(0, VOCABULARY, sizes, device=device)  # (T + 1, B)
        self._state: State = None

    def step(self) -> None:
        """Train on the window, from the state that the step before has left."""
        with torch.autocast(self._device, torch.bfloat16, enabled=self._autocast):
            logits, state = self._model(self._ids[:-1], self._state)  # (T, B, V)
        targets = self._ids[1:].flatten()
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), targets)
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        is_pair = isinstance(state, tuple)
        self._state = (state[0].detach(), state[1].detach()) if is_pair else state.detach()


class TextbookSampling:
    """One stream, character by character: a step of the model, softmax, multinomial."""

    def __init__(self, config: ModelConfig) -> None:
        self._model = TextbookModel(config).eval()
        self._last = torch.zeros(1, 1, dtype=torch.long)  # (T, B), one of each
        self._state: State = None

    @torch.inference_mode()
    def write(self, characters: int, threads: int) -> list[int]:
        """Return the ids of so many more characters, made with so many threads."""
        torch.set_num_threads(threads)
        ids = []
        for _ in range(characters):
            logits, self._state = self._model(self._last, self._state)  # (1, 1, V)
            self._last = torch.multinomial(torch.softmax(logits[0], dim=-1), 1)
            ids.append(int(self._last))
        return ids
