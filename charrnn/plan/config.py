"""The values that make a training run: its optimizer, one step of it, and how it goes."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from charrnn.errors import UsageError
from charrnn.model.precision import PRECISIONS, Precision
from charrnn.plan.engines import ENGINE_NAMES, EngineName

Device = Literal["cpu", "cuda"]
OptimizerName = Literal["adamw", "rmsprop", "sgd"]
OPTIMIZER_NAMES: tuple[OptimizerName, ...] = get_args(OptimizerName)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DEVICES: tuple[Device, ...] = get_args(Device)


@dataclass(frozen=True)
class OptimizerConfig:
    """How gradients become steps (see optimizer.py), with clipping and a learning rate."""

    optimizer: OptimizerName = "adamw"
    """Which equations: cautious AdamW, RMSprop, or SGD with momentum."""
    lr: float = 7e-3
    """Highest learning rate, reached after the warm-up."""
    warmup_steps: int = 50
    """Steps over which the rate rises from zero; shortened to a tenth of a short run."""
    final_lr_frac: float = 0.02
    """Where the cosine ends, as a fraction of `lr`."""
    lr_decay: float | None = None
    """Not None: in place of the cosine, what the rate is multiplied by after each epoch from the
    `lr_decay_after`-th on; 1 keeps it as it is."""
    lr_decay_after: int = 10
    """The first epoch after which the rate is multiplied by `lr_decay`."""
    beta1: float = 0.9
    """AdamW: decay of the mean of the gradients."""
    beta2: float = 0.99
    """AdamW: decay of the mean of their squares."""
    alpha: float = 0.95
    """RMSprop: decay of the mean of the gradients' squares."""
    momentum: float = 0.9
    """SGD: how much of the step before goes into the next one."""
    weight_decay: float = 0.01
    """Decoupled decay of matrices, per step and unit of learning rate; biases do not decay."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm where they exceed it; 0: they are not."""
    clip_value: float = 0.0
    """After that no element of a gradient is larger than this; 0: as large as it is."""

    def __post_init__(self) -> None:
        names = ", ".join(OPTIMIZER_NAMES)
        _require("optimizer", self.optimizer, self.optimizer in OPTIMIZER_NAMES, f"one of {names}")
        _require("lr", self.lr, 0 < self.lr < 100, "a positive number such as 0.003")
        _require("warmup-steps", self.warmup_steps, self.warmup_steps >= 0, "0 or more")
        _require("weight-decay", self.weight_decay, 0 <= self.weight_decay < 100, "0 or more")
        if self.lr_decay is not None:
            _require("lr-decay", self.lr_decay, 0 < self.lr_decay <= 1, "above 0 and at most 1")
        _require("lr-decay-after", self.lr_decay_after, self.lr_decay_after >= 1, "1 or more")
        for option, fraction in (("alpha", self.alpha), ("momentum", self.momentum)):
            _require(option, fraction, 0 <= fraction < 1, "at least 0 and below 1")
        for option, most in (("clip-norm", self.clip_norm), ("clip-value", self.clip_value)):
            _require(option, most, 0 <= most < math.inf, "0 for none, or a number such as 1")


@dataclass(frozen=True)
class StepConfig:
    """What one training step is: the window that it reads, and what computes it."""

    batch_size: int = 16
    """B: parallel streams of the text."""
    seq_len: int = 64
    """T: characters of a stream in one window, as far as the gradient reaches back in time."""
    reset_prob: float = 0.01
    """Probability that a stream begins a window with the zero state, as sampling does."""
    seed: int = 0
    """Seed of the initial weights, of the order of records, of the resets and of the dropout."""
    init_range: float = 0.0
    """X: every parameter begins in U(-X, X), but for biases that a cell wants at a value; 0: as
    CharRNN describes it."""
    engine: EngineName = "torch"
    """The engine that runs the recurrent stack."""
    precision: Precision = "fp32"
    """The number type of the matrix products in training."""
    device: Device = "cpu"
    """Where the model and the windows are."""
    threads: int = 1
    """CPU threads that compute a step."""

    def __post_init__(self) -> None:
        for option, value in (
            ("batch-size", self.batch_size),
            ("seq-len", self.seq_len),
            ("threads", self.threads),
        ):
            _require(option, value, value >= 1, "1 or more")
        _require("reset-prob", self.reset_prob, 0 <= self.reset_prob <= 1, "from 0 to 1")
        _require("init-range", self.init_range, 0 <= self.init_range < 100, "0, or such as 0.08")
        _require("seed", self.seed, 0 <= self.seed < 2**63, "0 or more")
        for option, choice, choices in (
            ("engine", self.engine, ENGINE_NAMES),
            ("precision", self.precision, PRECISIONS),
            ("device", self.device, DEVICES),
        ):
            _require(option, choice, choice in choices, f"one of {', '.join(choices)}")


class SaveInterval(NamedTuple):
    """How far apart saves are, beside those at each evaluation: so many steps, or so much time."""

    seconds: float
    steps: int | None
    """Steps between two saves; None: `seconds` decide."""

    @classmethod
    def parse(cls, text: str) -> "SaveInterval":
        """The interval that `--save-every` names; raises UsageError if it names none."""
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd]?)", text)
        number, unit = (float(found[1]), found[2]) if found else (0.0, "")
        wanted = "a time such as 30s or 5m, or a whole number of steps such as 500"
        _require("save-every", text, number > 0, wanted)
        if unit:
            return cls(number * UNITS[unit], None)
        _require("save-every", text, number.is_integer(), wanted)
        return cls(0.0, int(number))


@dataclass(frozen=True)
class RunConfig:
    """How a run goes: how many steps, and after which of them it evaluates, reports and saves."""

    steps: int
    """Training steps of the whole run; one window and one optimizer step each."""
    eval_every: int
    """Steps between evaluations; the run is saved at each of them."""
    eval_chars: int
    """Characters of the validation split that an evaluation during training reads, about."""
    report_every: int
    """Steps between progress reports."""
    patience: int = 3
    """Evaluations in a row without a better model after which training stops; 0: never."""
    save_every: str = "1m"
    """Time (30s, 5m, 2h) or steps (500) between saves; each evaluation is one, too."""

    def __post_init__(self) -> None:
        check_run_values(vars(self))

    def save_interval(self) -> SaveInterval:
        """`save_every` as numbers."""
        return SaveInterval.parse(self.save_every)


def check_run_values(values: Mapping[str, Any]) -> None:
    """Raise UsageError if one of some values of a RunConfig, by their names, is out of range."""
    for name, value in values.items():
        if name == "save_every":
            SaveInterval.parse(value)
        elif name == "patience":
            _require(name, value, value >= 0, "0 or more")
        else:
            _require(name.replace("_", "-"), value, value >= 1, "1 or more")


def _require(option: str, value: object, condition: bool, wanted: str) -> None:
    if not condition:
        raise UsageError(f"--{option} {value}: must be {wanted}")
