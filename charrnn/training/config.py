"""What a training run is made of beside the model. No torch here."""

from dataclasses import dataclass
from typing import Literal, get_args

from charrnn.engines.config import ENGINE_NAMES, PRECISIONS, EngineName, Precision
from charrnn.errors import UsageError

Device = Literal["cpu", "cuda"]
DEVICES: tuple[Device, ...] = get_args(Device)


@dataclass(frozen=True)
class OptimizerConfig:
    """Cautious AdamW (see optimizer.py) with clipping, linear warm-up and cosine decay."""

    lr: float = 7e-3
    """Highest learning rate, reached after the warm-up."""
    warmup_steps: int = 50
    """Steps over which the rate rises from zero; shortened to a tenth of a short run."""
    final_lr_frac: float = 0.02
    """Where the cosine ends, as a fraction of `lr`."""
    beta1: float = 0.9
    """Decay of the mean of the gradients."""
    beta2: float = 0.99
    """Decay of the mean of their squares."""
    weight_decay: float = 0.01
    """Decoupled decay of matrices, per step and unit of learning rate; biases do not decay."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm where they exceed it."""

    def __post_init__(self) -> None:
        _require("lr", self.lr, 0 < self.lr < 100, "a positive number such as 0.003")
        _require("warmup-steps", self.warmup_steps, self.warmup_steps >= 0, "0 or more")
        _require("weight-decay", self.weight_decay, 0 <= self.weight_decay < 100, "0 or more")
        _require("clip-norm", self.clip_norm, self.clip_norm > 0, "a positive number such as 1")


@dataclass(frozen=True)
class TrainingConfig:
    """The loop: windows, steps, how often to look, and what computes it."""

    steps: int
    """Windows to learn from; one optimizer step each."""
    eval_every: int
    """Steps between evaluations (and saves)."""
    eval_chars: int
    """Characters of the validation split that an evaluation during training reads, about."""
    report_every: int
    """Steps between progress reports."""
    patience: int = 3
    """Evaluations in a row without a better model after which training stops; 0: never."""
    batch_size: int = 16
    """B: parallel streams of the text."""
    seq_len: int = 64
    """T: steps that the gradient reaches back through time."""
    reset_prob: float = 0.01
    """Chance that a stream begins a window with the zero state, as sampling does."""
    seed: int = 0
    """Seeds the initial weights and the dropout masks."""
    engine: EngineName = "torch"
    """What runs the recurrent stack."""
    precision: Precision = "fp32"
    """Of the matrix products in training."""
    device: Device = "cpu"
    """Where."""
    threads: int = 1
    """CPU threads."""

    def __post_init__(self) -> None:
        for option, value in (
            ("steps", self.steps),
            ("eval-every", self.eval_every),
            ("eval-chars", self.eval_chars),
            ("batch-size", self.batch_size),
            ("seq-len", self.seq_len),
            ("threads", self.threads),
        ):
            _require(option, value, value >= 1, "1 or more")
        _require("patience", self.patience, self.patience >= 0, "0 or more")
        _require("reset-prob", self.reset_prob, 0 <= self.reset_prob <= 1, "from 0 to 1")
        _require("seed", self.seed, 0 <= self.seed < 2**63, "0 or more")
        for option, choice, choices in (
            ("engine", self.engine, ENGINE_NAMES),
            ("precision", self.precision, PRECISIONS),
            ("device", self.device, DEVICES),
        ):
            _require(option, choice, choice in choices, f"one of {', '.join(choices)}")


def _require(option: str, value: object, condition: bool, wanted: str) -> None:
    if not condition:
        raise UsageError(f"--{option} {value}: must be {wanted}")
