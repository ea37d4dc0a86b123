"""What a run knows at a save, and the files that hold it.

    model.safetensors, training.safetensors    the best model, and the state at the last evaluation
    *.previous.safetensors                     the same pair as it was at the evaluation before
    progress.safetensors                       the state at the last save since then

The model is written first and the state that tells of it second. Each file is kept as the previous
one before it is replaced, so there is a whole pair at every moment.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CheckpointError, RunError
from charrnn.files import atomic, sealed_file
from charrnn.files.run_folder import RunFolder
from charrnn.files.sealed_file import Layout
from charrnn.files.typed_json import LONGEST_REASON, make_record
from charrnn.model import checkpoint

FORMAT = "charrnn-training"
FORMAT_VERSION = 2


@dataclass(frozen=True)
class Best:
    """The best model so far. A model file of this step and this loss is the one that is meant."""

    val_nats: float
    step: int


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

    def differences(self, before: "Machine") -> list[str]:
        """What is not as it was `before`, in words."""
        now, then = asdict(self), asdict(before)
        return [f"{name} {now[name]} (was {then[name]})" for name in now if now[name] != then[name]]


@dataclass(frozen=True)
class RunState:
    """A run between two steps, beside the trainer's tensors."""

    serial: int
    """Which save of this run it is; the highest is the newest."""
    trainer: dict[str, Any]
    """The trainer's numbers."""
    best: Best | None
    evaluated_step: int
    """The step of the last evaluation; -1 before the first."""
    rollbacks: int
    """How often the run has diverged and gone back."""
    elapsed_s: float
    finished: bool
    metrics_bytes: int
    """Length of metrics.jsonl: what comes after it is from steps that are not in this state."""
    corpus_sha256: str
    machine: Machine


@dataclass(frozen=True, eq=False)
class Saved:
    """A state together with the trainer's tensors."""

    state: RunState
    tensors: dict[str, NDArray[Any]]


def layout_of(tensors: dict[str, NDArray[Any]]) -> Layout:
    """The types and shapes that a file of these tensors has."""
    return {name: (tensor.dtype.str, tensor.shape) for name, tensor in tensors.items()}


def write_evaluated(folder: RunFolder, saved: Saved) -> None:
    """Save the state at an evaluation, after the model that it tells of. Raises CheckpointError."""
    _keep(folder.training, folder.previous_training)
    _write(folder.training, saved)
    folder.progress.unlink(missing_ok=True)


def write_progress(folder: RunFolder, saved: Saved) -> None:
    """Save the state between two evaluations. Raises CheckpointError."""
    _write(folder.progress, saved)


def write_model(folder: RunFolder, model: checkpoint.Checkpoint) -> None:
    """Replace the best model and keep the one before. Raises CheckpointError."""
    _keep(folder.model, folder.previous_model)
    checkpoint.write(folder.model, model)


def _write(path: Path, saved: Saved) -> None:
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(saved.state)}
    sealed_file.write(path, header, saved.tensors)


def _keep(path: Path, previous: Path) -> None:
    if path.exists():
        atomic.keep_as(path, previous)


def read(path: Path, layout: Layout, corpus_sha256: str) -> Saved:
    """Read a state whose tensors must have `layout`.

    Raises CheckpointError if it is damaged, RunError if it is not of this run.
    """
    sealed = sealed_file.SealedFile(path)
    header = sealed.header
    try:
        if (header["format"], header["format_version"]) != (FORMAT, FORMAT_VERSION):
            found = f"{header['format']!r:.40} version {header['format_version']!r:.40}"
            raise ValueError(f"it is a {found}, and {FORMAT!r} version {FORMAT_VERSION} is needed")
        state = make_record(RunState, header)
        if state.corpus_sha256 != corpus_sha256:
            raise ValueError("it was saved while learning from another text")
        if sealed.layout != layout:
            different = sorted(set(sealed.layout.items()) ^ set(layout.items()))
            raise ValueError(f"tensor {different[0][0]!r:.60} is missing, or not of the same shape")
    except (ValueError, KeyError, TypeError) as error:
        reason = str(error)[:LONGEST_REASON]
        raise RunError(f"{str(path)!r} does not fit this run: {reason}") from error
    saved = Saved(state, sealed.tensors())
    if not all(np.isfinite(tensor).all() for tensor in saved.tensors.values()):
        raise RunError(f"{str(path)!r} does not fit this run: it holds numbers that are not finite")
    return saved


@dataclass(frozen=True, eq=False)
class Found:
    """Where a run goes on."""

    newest: Saved
    evaluated: Saved | None
    """The state at its last evaluation, to go back to; None if that is the run's beginning."""
    notes: tuple[str, ...]
    """What was wrong with newer files."""


def find(folder: RunFolder, layout: Layout, corpus_sha256: str) -> Found | None:
    """The newest save that is whole and has its model; None if the run never saved any.

    Afterwards the files are as that save left them. Raises RunError if none can be used.
    """
    problems: list[str] = []
    states = dict(_readable(folder, layout, corpus_sha256, problems))
    for path, saved in sorted(states.items(), key=lambda one: -one[1].state.serial):
        if not _put_model_in_place(folder, saved.state.best, problems):
            continue
        if path == folder.previous_training:
            path.replace(folder.training)
        if path != folder.progress:
            folder.progress.unlink(missing_ok=True)
        step = saved.state.trainer.get("step")
        notes = tuple(
            f"{problem}: going on from what was saved at step {step}" for problem in problems
        )
        return Found(saved, _evaluated(saved, states.get(folder.training)), notes)
    if problems:
        raise RunError(f"{'; '.join(problems)}; this run can only be trained anew")
    return None


def _readable(
    folder: RunFolder, layout: Layout, corpus_sha256: str, problems: list[str]
) -> Iterator[tuple[Path, Saved]]:
    for path in (folder.progress, folder.training, folder.previous_training):
        if path.exists():
            try:
                yield path, read(path, layout, corpus_sha256)
            except (CheckpointError, RunError) as error:
                problems.append(str(error))


def _evaluated(newest: Saved, training: Saved | None) -> Saved | None:
    """The save at the evaluation before `newest`, which may be itself."""
    state = newest.state
    if training is not None:
        one = training.state
        if (one.evaluated_step, one.rollbacks) == (state.evaluated_step, state.rollbacks):
            return training
    return None if (state.evaluated_step, state.rollbacks) == (-1, 0) else newest


def _put_model_in_place(folder: RunFolder, best: Best | None, problems: list[str]) -> bool:
    """Whether the model that a state tells of is there; the previous one is put back for it."""
    if best is None or _is(folder.model, best, problems):
        return True
    if not _is(folder.previous_model, best, problems):
        return False
    atomic.keep_as(folder.previous_model, folder.model)
    return True


def _is(path: Path, best: Best, problems: list[str]) -> bool:
    try:
        model = checkpoint.read(path)
    except CheckpointError as error:
        problems.append(str(error))
        return False
    if (model.step, model.losses.val_nats) == (best.step, best.val_nats):
        return True
    problems.append(f"{str(path)!r} is of step {model.step}, not of step {best.step}")
    return False
