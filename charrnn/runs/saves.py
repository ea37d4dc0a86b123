"""What a run knows at a save, and the files that hold it.

    model.safetensors, training.safetensors    the best model, and the state at the last evaluation
    *.previous.safetensors                     the same pair as it was at the evaluation before
    progress.safetensors                       the state at the last save since then

The model is written first and the state that tells of it second. Each file is kept as the previous
one before it is replaced, so there is a whole pair at every moment. docs/file-formats.md describes
what the files hold.
"""

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CheckpointError, RunError
from charrnn.files import atomic, sealed_file
from charrnn.files.formats import TRAINING_STATE
from charrnn.files.run_folder import RunFolder
from charrnn.files.sealed_file import Layout
from charrnn.files.typed_json import LONGEST_REASON, make_record
from charrnn.model import checkpoint


@dataclass(frozen=True)
class Best:
    """The best model so far. A model file of this step and this loss is the one that is meant."""

    val_nats: float
    """Its loss in nats per character of the validation split."""
    step: int
    """Training steps that it has seen."""


@dataclass(frozen=True)
class RunStatus:
    """What a run has come to, beside the state of its trainer."""

    best: Best | None = None
    """The best model so far; None before the first evaluation."""
    evaluated_step: int = -1
    """The step of the last evaluation; -1 before the first."""
    rollbacks: int = 0
    """How often the run has diverged and gone back."""
    finished: bool = False
    """Whether the run is over: its best model has been judged exactly."""


@dataclass(frozen=True)
class Machine:
    """What the bits of a step depend on beside the state."""

    engine: str
    precision: str
    device: str
    threads: int
    cpu: str
    """Instruction sets in use."""
    torch: str
    """Version of torch."""

    def differences(self, before: "Machine") -> list[str]:
        """What is not as it was on the machine `before`, each in a few words."""
        now, then = asdict(self), asdict(before)
        return [f"{name} {now[name]} (was {then[name]})" for name in now if now[name] != then[name]]


@dataclass(frozen=True)
class RunState:
    """A run between two steps, but for the trainer's tensors."""

    serial: int
    """Which save of this run it is; the highest is the newest."""
    trainer: dict[str, Any]
    """The trainer's counters: its step, its position in the text, its schedule (trainer.py)."""
    best: Best | None
    evaluated_step: int
    rollbacks: int
    elapsed_s: float
    """Age of the run in seconds, over all its sessions."""
    finished: bool
    metrics_bytes: int
    """Length of metrics.jsonl: what comes after it is from steps that are not in this state."""
    corpus_sha256: str
    """SHA-256 of the text that the run learns from."""
    machine: Machine
    """The machine of the session that saved it."""

    @property
    def status(self) -> RunStatus:
        """What the run had come to."""
        return RunStatus(self.best, self.evaluated_step, self.rollbacks, self.finished)


@dataclass(frozen=True, eq=False)
class Saved:
    """A state together with the trainer's tensors."""

    state: RunState
    tensors: dict[str, NDArray[Any]]


def layout_of(tensors: dict[str, NDArray[Any]]) -> Layout:
    """The types and shapes that a file of these tensors has."""
    return {name: (tensor.dtype.str, tensor.shape) for name, tensor in tensors.items()}


def write_evaluated(folder: RunFolder, saved: Saved) -> None:
    """Save the state at an evaluation, after the model that it tells of. Raises OutputError."""
    _keep(folder.training, folder.previous_training)
    write(folder.training, saved)
    _remove(folder.progress)


def write_progress(folder: RunFolder, saved: Saved) -> None:
    """Save the state between two evaluations. Raises OutputError."""
    write(folder.progress, saved)


def write_model(folder: RunFolder, model: checkpoint.Checkpoint) -> None:
    """Replace the best model and keep the one before. Raises OutputError."""
    _keep(folder.model, folder.previous_model)
    checkpoint.write(folder.model, model)


def write(path: Path, saved: Saved) -> None:
    """Replace `path` by the file of a state. Raises OutputError."""
    sealed_file.write(path, {**TRAINING_STATE.header(), **asdict(saved.state)}, saved.tensors)


def _remove(path: Path) -> None:
    with atomic.output_errors(path):
        path.unlink(missing_ok=True)


def _keep(path: Path, previous: Path) -> None:
    if path.exists():
        atomic.keep_as(path, previous)


def read(path: Path, layout: Layout, corpus_sha256: str) -> Saved:
    """Read a state whose tensors must have `layout`.

    Raises CheckpointError if it is damaged, RunError if it is not of this run, NewerFormatError if
    a later charrnn wrote it.
    """
    sealed = sealed_file.SealedFile(path)
    TRAINING_STATE.check(path, sealed.header)
    try:
        state = make_record(RunState, sealed.header)
        if state.corpus_sha256 != corpus_sha256:
            raise ValueError("it was saved while learning from another text")
        if sealed.layout != layout:
            different = sorted(set(sealed.layout.items()) ^ set(layout.items()))
            raise ValueError(f"tensor {different[0][0]!r:.60} is missing, or not of the same shape")
    except ValueError as error:
        reason = str(error)[:LONGEST_REASON]
        raise RunError(f"{str(path)!r} does not fit this run: {reason}") from error
    saved = Saved(state, sealed.tensors())
    if not all(np.isfinite(tensor).all() for tensor in saved.tensors.values()):
        raise RunError(f"{str(path)!r} does not fit this run: it holds numbers that are not finite")
    return saved


@dataclass(frozen=True, eq=False)
class FoundSave:
    """The save that a run goes on from."""

    newest: Saved
    """The newest state that is whole."""
    evaluated: Saved | None
    """The state at its last evaluation, to go back to; None if that is the run's beginning."""
    notes: tuple[str, ...]
    """What was wrong with newer files."""


def find(folder: RunFolder, layout: Layout, corpus_sha256: str) -> FoundSave | None:
    """The newest save that is whole and has its model; None if the run never saved any.

    Afterwards the files are as that save left them. Raises RunError if none can be used, and
    OutputError if the files cannot be put in order. Raises NewerFormatError, and touches nothing,
    if a later charrnn has gone on with the run.
    """
    problems: list[str] = []
    states = dict(_readable(folder, layout, corpus_sha256, problems))
    for path, saved in sorted(states.items(), key=lambda entry: -entry[1].state.serial):
        if not _put_model_in_place(folder, saved.state.best, problems):
            continue
        if path == folder.previous_training:
            with atomic.output_errors(folder.training):
                path.replace(folder.training)
        if path != folder.progress:
            _remove(folder.progress)
        step = saved.state.trainer.get("step")
        notes = tuple(
            f"{problem}: going on from what was saved at step {step}" for problem in problems
        )
        return FoundSave(saved, _last_evaluation(saved, states.get(folder.training)), notes)
    if problems:
        name = shlex.quote(folder.name)
        raise RunError(
            f"{'; '.join(dict.fromkeys(problems))}; train it anew with `name` {name} and `replace`"
        )
    return None


def _readable(
    folder: RunFolder, layout: Layout, corpus_sha256: str, problems: list[str]
) -> Iterator[tuple[Path, Saved]]:
    """Every state that can be read, by its path; `problems` gets the reasons for the others."""
    for path in (folder.progress, folder.training, folder.previous_training):
        if path.exists():
            try:
                yield path, read(path, layout, corpus_sha256)
            except (CheckpointError, RunError) as error:
                problems.append(str(error))


def _last_evaluation(newest: Saved, training: Saved | None) -> Saved | None:
    """The save at the last evaluation before `newest`, which may be `newest` itself.

    `training` is the save in training.safetensors, if it can be read. None: `newest` is from before
    the first evaluation, so its run goes back to the beginning.
    """
    began = (newest.state.evaluated_step, newest.state.rollbacks)
    if training and (training.state.evaluated_step, training.state.rollbacks) == began:
        return training
    return None if began == (-1, 0) else newest


def _put_model_in_place(folder: RunFolder, best: Best | None, problems: list[str]) -> bool:
    """Whether the model that a state tells of is there; the previous one is put back for it."""
    if best is None or _is_model_of(folder.model, best, problems):
        return True
    if not _is_model_of(folder.previous_model, best, problems):
        return False
    atomic.keep_as(folder.previous_model, folder.model)
    return True


def _is_model_of(path: Path, best: Best, problems: list[str]) -> bool:
    """Whether the file at `path` is the model `best`; if not, `problems` gets the reason."""
    try:
        model = checkpoint.read(path)
    except CheckpointError as error:
        problems.append(str(error))
        return False
    if (model.step, model.losses.val_nats) == (best.step, best.val_nats):
        return True
    problems.append(f"{str(path)!r} is of step {model.step}, not of step {best.step}")
    return False
