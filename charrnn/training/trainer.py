"""One optimizer step after another: truncated back-propagation through time with carried state.

The state after a window is the next window's initial state, but no gradient flows from one window
into the one before (Williams & Peng 1990; Sutskever 2013, section 2.8.6).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn.corpus.ids_file import check_ids
from charrnn.corpus.split import Split
from charrnn.corpus.windows import Window
from charrnn.engines.interface import State
from charrnn.engines.selection import make_engine
from charrnn.experts.text_counts import TextCounts
from charrnn.files.typed_json import make_record
from charrnn.model.cells import CELLS
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.training.char_rnn import CharRNN
from charrnn.training.dropout import draw_mask
from charrnn.training.learning_rate import Schedule, learning_rate
from charrnn.training.optimizer import make_optimizer

MIXER = OptimizerConfig(lr=0.02, clip_norm=0.0)
"""How the experts' parameters are learned: at this rate where the net's is highest, on the net's
schedule and with its weight decay, and never clipped. Without decay a net that read 50,000
characters often trusted its counts so much that it was worse than alone on another part of the
book (docs/experiments/experts.md)."""


@dataclass(frozen=True)
class Progress:
    """What happened since the last report."""

    train_nats: float
    grad_norm: float
    lr: float
    characters: int


@dataclass(frozen=True)
class Counters:
    """The numbers of a trainer's state."""

    step: int
    position: int
    """The next window, of those in an epoch."""
    epoch: int
    counted: int
    """Steps whose loss is not reported yet."""
    characters: int
    """Characters that these have read."""
    schedule: Schedule
    lr_scale: float
    """What divergence has left of the learning rate."""


class Trainer:
    """A model in training. Between two calls of `step` everything it is lies in `state()`."""

    def __init__(
        self,
        split: Split,
        model: ModelConfig,
        optimizer: OptimizerConfig,
        config: StepConfig,
        total_steps: int,
        counts: TextCounts | None = None,
    ) -> None:
        """Begin a run of `total_steps` steps, over which the learning rate falls.

        `counts` are those of `split`, if there are any already, for a model with n-gram experts.
        """
        table = (counts or TextCounts(split)).table(model.vocab_size, model.ngram_rule)
        self.config = config
        self.step_count = 0
        self.schedule = Schedule.of(total_steps, optimizer)
        self.lr_scale = 1.0
        self._optimizer_config = optimizer
        self._device = torch.device(config.device)
        self._windows = split.training_windows(config.batch_size, config.seq_len, config.seed)
        self._reset_prob = config.reset_prob if split.may_reset else 0.0
        self._engine = make_engine(config.engine, config.precision, config.threads)
        weights = torch.Generator().manual_seed(config.seed)
        self.model = CharRNN(model, weights, config.init_range, table).to(self._device)
        self._generator = torch.Generator(self._device).manual_seed(config.seed)
        self._native_threads = config.threads if config.engine == "native" else 0
        net, experts = self.model.net_parameters(), self.model.expert_parameters()
        self._optimizer = make_optimizer(net.values(), optimizer, self._native_threads)
        mixer = replace(MIXER, weight_decay=optimizer.weight_decay)
        self._mixer = make_optimizer(experts.values(), mixer, self._native_threads)
        self._carried = self.model.initial_state(config.batch_size)
        self._nats = torch.zeros((), device=self._device)
        self._counted = 0
        self._characters = 0
        self._grad_norm = torch.zeros((), device=self._device)

    @property
    def epoch(self) -> float:
        """How often the training split has been read."""
        return self._windows.epoch + self._windows.position / self._windows.per_epoch

    def step(self) -> None:
        """Learn from the next window. The loss stays on the device until `report`."""
        window = self._windows.next()
        for part in (window.inputs, window.targets):
            check_ids(part, self.model.config.vocab_size)
        state = self._begin(window)
        ids = torch.from_numpy(window.inputs).to(self._device)  # (T, B)
        targets = torch.from_numpy(window.targets).to(self._device)  # (T, B)
        masks, weight_masks = self._draw_masks(len(ids)), self._draw_weight_masks()
        left_out = self._draw_left_out()
        nats, state = self.model.mean_nats(
            ids, targets, state, self._engine, masks, weight_masks, window.folds, left_out
        )
        torch.autograd.backward(nats)
        self._grad_norm = self._optimizer.clip()
        lr = self._learning_rate(self.step_count)
        self._optimizer.step(self.step_count, lr)
        self._mixer.step(self.step_count, MIXER.lr * lr / self._optimizer_config.lr)
        self._carried = tuple(part.detach() for part in state)
        self._nats += nats.detach()
        self._counted += 1
        self._characters += window.characters
        self.step_count += 1

    def _learning_rate(self, step: int) -> float:
        epoch = step // self._windows.per_epoch
        return self.lr_scale * learning_rate(step, self.schedule, self._optimizer_config, epoch)

    def _begin(self, window: Window) -> State:
        """The state to read `window` from: carried, but zero in streams that begin afresh.

        At the end of the text all streams do; before any other window each does with a small
        probability. Otherwise the model would hardly ever see the zero state that sampling starts
        from, and write nonsense until it had found its way out of it.
        """
        if window.fresh:
            return self.model.initial_state(self.config.batch_size)
        draws = torch.rand(
            self.config.batch_size, 1, generator=self._generator, device=self._device
        )
        kept = draws >= self._reset_prob  # (B, 1)
        return tuple(part * kept for part in self._carried)  # (L, B, H)

    def _draw_masks(self, steps: int) -> list[Tensor]:
        """L masks (T, B, H), or none without dropout."""
        model = self.model.config
        if model.dropout == 0:
            return []
        shape = (steps, self.config.batch_size, model.hidden_size)
        return [self._mask(shape, model.dropout) for _ in range(model.num_layers)]

    def _draw_weight_masks(self) -> list[list[Tensor]]:
        """For each layer a mask for each recurrent matrix, or none without weight-drop."""
        model = self.model.config
        if model.weight_drop == 0:
            return []
        shapes = CELLS[model.cell].recurrent_shapes(model.hidden_size).values()
        matrices = [shape for shape in shapes if len(shape) == 2]
        return [
            [self._mask(shape, model.weight_drop) for shape in matrices]
            for _ in range(model.num_layers)
        ]

    def _draw_left_out(self) -> Tensor | None:
        """(B,) for which streams the experts are left out of the next window, or None: for none."""
        model = self.model.config
        if model.ngram_order == 0 or model.ngram_dropout == 0:
            return None
        shape = (self.config.batch_size,)
        draws = torch.rand(shape, generator=self._generator, device=self._device)
        return draws < model.ngram_dropout

    def _mask(self, shape: tuple[int, ...], dropout: float) -> Tensor:
        return draw_mask(shape, dropout, self._generator, self._native_threads)

    def report(self) -> Progress:
        """The mean loss since the last call, brought from the device."""
        progress = Progress(
            train_nats=float(self._nats) / max(1, self._counted),
            grad_norm=float(self._grad_norm),
            lr=self._learning_rate(self.step_count - 1),
            characters=self._characters,
        )
        self._nats = torch.zeros_like(self._nats)
        self._counted = 0
        self._characters = 0
        return progress

    def end_at(self, total: int) -> None:
        """Let the run end after `total` steps instead; the learning rate bends with it."""
        self.schedule = self.schedule.bent(self.step_count, total)

    def learn_on(self, total: int) -> None:
        """Let a run that has come to its end go on until `total` steps are done."""
        self.schedule = self.schedule.extended(self.step_count, total)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """(numbers, tensors): everything that the next step depends on."""
        counters = Counters(
            step=self.step_count,
            position=self._windows.position,
            epoch=self._windows.epoch,
            counted=self._counted,
            characters=self._characters,
            schedule=self.schedule,
            lr_scale=self.lr_scale,
        )
        tensors: dict[str, NDArray[Any]] = {
            "nats": self._nats.cpu().numpy().copy(),
            "generator": self._generator.get_state().numpy().copy(),
        }
        for index, part in enumerate(self._carried):
            tensors[f"carried.{index}"] = part.cpu().numpy().copy()
        for name, tensor in self._learned():
            tensors[name] = tensor.detach().cpu().numpy().copy()
        return asdict(counters), tensors

    def is_finite(self) -> bool:
        """Whether every number that the next step depends on is one."""
        parts = [*self._carried, self._nats, *(tensor for _, tensor in self._learned())]
        return all(bool(torch.isfinite(part).all()) for part in parts)

    def _learned(self) -> Iterator[tuple[str, Tensor]]:
        """The parameters and what the optimizer keeps of each, by name."""
        groups = (self.model.net_parameters(), self.model.expert_parameters())
        for parameters, optimizer in zip(groups, (self._optimizer, self._mixer), strict=True):
            for name, weight in zip(parameters, optimizer.parameters, strict=True):
                yield f"model.{name}", weight
            for kind, kept in optimizer.kept.items():
                for name, tensor in zip(parameters, kept, strict=True):
                    yield f"{kind}.{name}", tensor

    def load_state(self, numbers: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        """Continue from `state()`: the next steps are bit for bit those of an unbroken run.

        Raises ValueError if something is missing or does not fit.
        """
        counters = make_record(Counters, numbers)
        if not 0 <= counters.position < self._windows.per_epoch or counters.epoch < 0:
            raise ValueError(f"no window {counters.position} of epoch {counters.epoch}")
        if counters.step < 0 or counters.counted < 0 or not 0 < counters.lr_scale <= 1:
            raise ValueError(f"no step {counters.step} at {counters.lr_scale} of the rate")
        try:
            self._generator.set_state(torch.from_numpy(tensors["generator"]))
        except RuntimeError as error:
            raise ValueError("the random generator's state is not one") from error
        self.step_count = counters.step
        self._windows.position, self._windows.epoch = counters.position, counters.epoch
        self._counted, self._characters = counters.counted, counters.characters
        self.schedule, self.lr_scale = counters.schedule, counters.lr_scale
        self._nats = self._tensor(tensors["nats"], self._nats)
        self._carried = tuple(
            self._tensor(tensors[f"carried.{index}"], part)
            for index, part in enumerate(self._carried)
        )
        with torch.no_grad():
            for name, tensor in self._learned():
                tensor.copy_(self._tensor(tensors[name], tensor))

    def _tensor(self, array: NDArray[np.float32], like: Tensor) -> Tensor:
        if array.shape != tuple(like.shape):
            raise ValueError(f"shape {array.shape} where {tuple(like.shape)} is needed")
        return torch.from_numpy(array.copy()).to(self._device)
