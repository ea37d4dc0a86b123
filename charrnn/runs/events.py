"""What a training run tells while it runs, as frozen records, and how it is told to stop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from charrnn.corpus.progress import Note, Progress
from charrnn.model.config import ModelConfig
from charrnn.plan.plan import Plan


@dataclass(frozen=True)
class Measuring:
    """The steps of a model are about to be timed, which decides what fits into the budget."""

    model: ModelConfig
    """The model whose steps are timed."""


@dataclass(frozen=True)
class RunStarted:
    """The plan is fixed and saved; the first step of this session comes next."""

    plan: Plan
    folder: Path
    step: int
    """Training steps that are done already: 0, or more for a resumed run."""
    notes: tuple[str, ...] = ()
    """What the user should know: sizes that were shrunk, a resume that cannot be exact."""
    elapsed_s: float = 0.0
    """Age of the command in seconds, earlier sessions of a resumed run included."""


@dataclass(frozen=True)
class PaceChanged:
    """The machine is faster or slower than it was: the run will have another number of steps."""

    step: int
    """Training steps done so far."""
    steps: int
    """Training steps that the whole run will have, from now on."""
    elapsed_s: float
    """Age of the command in seconds, earlier sessions of a resumed run included."""


@dataclass(frozen=True)
class StepReport:
    """Progress on the training split since the last report."""

    step: int
    """Training steps done so far."""
    train_nats: float
    """Mean loss since the last report in nats per character, with dropout."""
    lr: float
    """Learning rate of the last step."""
    grad_norm: float | None
    """Norm of the last step's gradient before clipping; None if it was not finite."""
    chars_per_s: float
    """Characters learned from per second since the last report."""
    elapsed_s: float
    """Age of the command in seconds, earlier sessions of a resumed run included."""


@dataclass(frozen=True)
class EvalReport:
    """An evaluation on the validation split."""

    step: int
    """Training steps that the model has seen."""
    val_nats: float
    """Loss in nats per character."""
    val_characters: int
    """Characters that the loss was measured on."""
    carried: bool
    """True for the final evaluation, whose state is carried exactly; False for an estimate on a
    part of the split, which is made during training."""
    best: bool
    """True if this is the best model so far, which is then saved."""
    elapsed_s: float
    """Age of the command in seconds, earlier sessions of a resumed run included."""
    windows_nats: float | None = None
    """Loss in windows of 256 characters, each read from the zero state, in nats per character;
    None but for the final evaluation."""


@dataclass(frozen=True)
class RolledBack:
    """Training diverged; it goes on from the last evaluation with half the learning rate."""

    step: int
    """Training steps of the model that it goes on with."""
    diverged_step: int
    """Training steps done when the divergence was noticed."""
    train_nats: float | None
    """The loss by which it was noticed, in nats per character; None if it was not finite."""
    lr_scale: float
    """What the learning rate of the plan is multiplied by from now on."""
    elapsed_s: float
    """Age of the command in seconds, earlier sessions of a resumed run included."""


@dataclass(frozen=True)
class SampleReport:
    """A few characters written by the model as it stands."""

    step: int
    """Training steps that the model has seen."""
    text: str
    """What it wrote."""


@dataclass(frozen=True)
class RunFinished:
    """The run is over, or has been stopped; everything is saved."""

    reason: Literal["finished", "deadline", "no better", "interrupted", "already finished"]
    """Why: all steps are done, the budget is used up, `patience` evaluations brought no better
    model, a StopRequest was set, or there was nothing left to do."""
    step: int
    """Training steps done."""
    model: Path
    """The file of the best model."""
    val_nats: float | None
    """Loss of the best model in nats per character, its state carried exactly unless interrupted;
    None before the first evaluation."""
    elapsed_s: float
    """Age of the command in seconds, earlier sessions of a resumed run included."""
    windows_nats: float | None = None
    """Loss of the best model in windows of 256 characters, in nats per character; None if it was
    not measured, as after an interrupt."""
    best_step: int | None = None
    """Training steps that the best model has seen; None before the first evaluation."""


Event = (
    Progress
    | Note
    | Measuring
    | RunStarted
    | PaceChanged
    | RolledBack
    | StepReport
    | EvalReport
    | SampleReport
    | RunFinished
)


@dataclass
class StopRequest:
    """Set from outside (a signal handler, another thread) to end a run after the current step."""

    signal: int | None = None
    """Number of the signal that asks for the end; None: the run goes on."""
