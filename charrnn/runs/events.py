"""What a training run tells while it runs, as frozen records, and how it is told to stop.

Nothing here prints, and nothing here is torch.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from charrnn.corpus.progress import Note, Progress
from charrnn.plan.plan import Plan


@dataclass(frozen=True)
class RunStarted:
    """The plan is fixed and saved; the first step comes next."""

    plan: Plan
    folder: Path
    step: int
    """Steps already done: 0, or more for a resumed run."""
    notes: tuple[str, ...] = ()
    """Anything the user should know: sizes that were shrunk, a resume that cannot be exact."""


@dataclass(frozen=True)
class PaceChanged:
    """The machine is faster or slower than it was: the run will have another number of steps."""

    step: int
    steps: int
    """Of the whole run, from now on."""
    elapsed_s: float


@dataclass(frozen=True)
class StepReport:
    """Progress since the last report, over the training split."""

    step: int
    train_nats: float
    """Mean nats per character, with dropout."""
    lr: float
    grad_norm: float
    """Of the last step, before clipping."""
    chars_per_s: float
    elapsed_s: float
    """Since the command began, earlier sessions of a resumed run included."""


@dataclass(frozen=True)
class EvalReport:
    """An evaluation on the validation split."""

    step: int
    val_nats: float
    """Nats per character."""
    val_characters: int
    carried: bool
    """True for the final one, whose state is carried exactly; False for the bounded estimate."""
    best: bool
    """True if this is the best model so far, which is then saved."""
    elapsed_s: float
    windows_nats: float | None = None
    """Of the final one: in windows of 256 characters, each read from the zero state."""


@dataclass(frozen=True)
class RolledBack:
    """Training diverged; it goes on from the last evaluation with half the learning rate."""

    step: int
    """Where it goes on."""
    diverged_step: int
    train_nats: float | None
    """The loss that gave it away; None if it was not a number."""
    lr_scale: float
    """What the learning rate of the plan is multiplied by from now on."""
    elapsed_s: float


@dataclass(frozen=True)
class SampleReport:
    """A few characters written by the model as it stands."""

    step: int
    text: str


@dataclass(frozen=True)
class RunFinished:
    """The run is over, or has been stopped; everything is saved."""

    reason: Literal["finished", "deadline", "no better", "interrupted", "already finished"]
    step: int
    model: Path
    val_nats: float | None
    """Of the best model; carried exactly unless interrupted."""
    elapsed_s: float
    windows_nats: float | None = None
    """Of the best model, in windows of 256 characters; not measured if interrupted."""
    best_step: int | None = None
    """The step whose model was the best and is kept."""


Event = (
    Progress
    | Note
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
    """The signal that asked, or None to go on."""
