"""A run is a folder below `checkpoints/` that holds its plan, model, training state and metrics.

docs/file-formats.md describes what each of the files holds.
"""

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from charrnn.errors import CheckpointError, OutputError, RunError, UsageError, did_you_mean
from charrnn.files import atomic, lock
from charrnn.files.typed_json import parse_object
from charrnn.options import check_type

CHECKPOINTS = Path("checkpoints")
"""The folder of all runs, in the current folder."""
MODEL_VARIABLE = "CHARRNN_MODEL"
"""The environment variable that names a model where a command names none."""


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, by what they are for."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name, which is the folder's."""
        return self.path.name

    @property
    def model(self) -> Path:
        """The best model so far: one file that is all one needs to sample."""
        return self.path / "model.safetensors"

    @property
    def training(self) -> Path:
        """The state at the last evaluation: everything that resuming needs beside the plan."""
        return self.path / "training.safetensors"

    @property
    def previous_model(self) -> Path:
        """The best model as it was before `model`."""
        return self.path / "model.previous.safetensors"

    @property
    def previous_training(self) -> Path:
        """The state at the evaluation before the last."""
        return self.path / "training.previous.safetensors"

    @property
    def progress(self) -> Path:
        """The state at the last save since the last evaluation."""
        return self.path / "progress.safetensors"

    @property
    def plan(self) -> Path:
        """The plan: what was decided before the first step."""
        return self.path / "plan.json"

    @property
    def metrics(self) -> Path:
        """A line of JSON for each report and each evaluation."""
        return self.path / "metrics.jsonl"

    @property
    def corpus(self) -> Path:
        """The text's ids, kept only where it came from stdin and could not be read again."""
        return self.path / "corpus.ids"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that a run can have."""
        return (
            self.model,
            self.previous_model,
            *self.states,
            self.plan,
            self.metrics,
            self.corpus,
        )

    @property
    def states(self) -> tuple[Path, ...]:
        """The files of which a resumed run needs one."""
        return self.progress, self.training, self.previous_training

    def is_free(self) -> bool:
        """Whether a run can begin here: there is nothing, or a folder without a run's files."""
        if not self.path.is_dir():
            return not self.path.exists()
        return not any(path.exists() for path in self.files)

    def clear(self) -> None:
        """Remove this run's files, and nothing else."""
        for path in self.files:
            path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run, so that no other process trains it; the lock ends with this process.

        Also removes what a process that was killed has left half-written. Raises RunError if
        another process holds the run, or if its folder cannot be opened.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(lock.held(self.path))
            except BlockingIOError as error:
                raise RunError(
                    f"run {self.name!r} is being trained by another process: "
                    "stop that one first, or wait for it"
                ) from error
            except OSError as error:
                message = f"cannot open {str(self.path)!r}: {error.strerror or error}"
                raise RunError(message) from error
            atomic.remove_leftovers(self.path)
            yield


def check_name(name: str) -> str:
    """Return `name` if it can name a run; raise UsageError or TypeError otherwise."""
    check_type("name", name, str, "a text")
    if not name or name.startswith(".") or Path(name).name != name:
        raise UsageError(f"`name` {name!r}: use a plain name, without slashes or a leading dot")
    return name


def create(name: str, *, explicit: bool, replace: bool) -> RunFolder:
    """Make the folder of a new run, or find the one to replace, whose files are still there.

    A name that was not given explicitly gets a number if there is a folder of that name. Raises
    RunError if an explicit name is not free and `replace` is not set, OutputError if the folder
    cannot be made.
    """
    _make_folder(CHECKPOINTS)
    for number in range(1, 1_000_000):
        folder = RunFolder(CHECKPOINTS / (name if number == 1 else f"{name}-{number}"))
        if _make_folder(folder.path) or replace or (explicit and folder.is_free()):
            return folder
        if explicit:
            raise _taken(name)
    raise RunError(f"too many runs named {name!r}; choose another `name`")


def _make_folder(path: Path) -> bool:
    """Make a folder; False where there is something of that name. Raises OutputError."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        message = f"cannot make the folder {str(path)!r}: {error.strerror or error}"
        raise OutputError(message) from error
    return True


def free_prefix(prefix: str, members: Sequence[str], *, explicit: bool) -> str:
    """`prefix`, with a number if need be, such that no run is called PREFIX-MEMBER yet.

    Raises RunError if a run of an explicit `prefix` exists.
    """
    for number in range(1, 1_000_000):
        name = prefix if number == 1 else f"{prefix}-{number}"
        runs = [f"{name}-{member}" for member in members]
        taken = [run for run in runs if not RunFolder(CHECKPOINTS / run).is_free()]
        if not taken:
            return name
        if explicit:
            raise _taken(taken[0])
    raise RunError(f"too many runs named {prefix!r}; choose another `name`")


def _taken(name: str) -> RunError:
    return RunError(
        f"a run named {name!r} exists; write over it with `replace`, or choose another `name`"
    )


def find_run(name: str) -> RunFolder:
    """The folder of the run called `name`, or the run's folder that `name` is.

    Raises RunError if there is no such folder, or if it holds none of a run's files.
    """
    for path in (CHECKPOINTS / name, Path(name)):
        if path.is_dir() and not RunFolder(path).is_free():
            return RunFolder(path)
    if (CHECKPOINTS / name).is_dir():
        raise RunError(
            f"no run was begun in the folder {str(CHECKPOINTS / name)!r}; "
            f"train a text with `name` {shlex.quote(name)} to begin one there"
        )
    raise RunError(
        f"no run named {name!r} in {CHECKPOINTS}/; `charrnn list` shows those there are"
        + did_you_mean(name, [folder.name for folder in _folders()])
    )


def list_runs() -> list[RunFolder]:
    """The runs below `checkpoints/` that have a model, the newest model first."""
    with_model = [folder for folder in _folders() if folder.model.is_file()]
    return sorted(with_model, key=lambda folder: folder.model.stat().st_mtime_ns, reverse=True)


def list_without_model() -> list[RunFolder]:
    """The folders below `checkpoints/` that have no model, by name."""
    return [folder for folder in _folders() if not folder.model.is_file()]


def find_model(argument: str | None) -> Path:
    """The model file that `argument` names: a run, a folder, or a file.

    None stands for what $CHARRNN_MODEL names, or else for the newest run. Raises CheckpointError if
    there is no such model.
    """
    origin = "" if argument else f" (${MODEL_VARIABLE})"
    argument = argument or os.environ.get(MODEL_VARIABLE)
    if argument is None:
        runs = list_runs()
        if not runs:
            raise CheckpointError(
                f"no model in {CHECKPOINTS}/ yet: `charrnn train FILE` makes one; or name a file"
            )
        return runs[0].model
    for path in (CHECKPOINTS / argument, Path(argument)):
        if path.is_dir():
            folder = RunFolder(path)
            if not folder.model.is_file():
                raise no_model_in(folder)
            return folder.model
        if path.is_file():
            return path
    known = [name for folder in _folders() for name in (folder.name, str(folder.path))]
    raise CheckpointError(
        f"no model {argument!r}{origin}: no run in {CHECKPOINTS}/ (see `charrnn list`), file or "
        f"folder{did_you_mean(argument, known)}"
    )


def no_model_in(folder: RunFolder) -> CheckpointError:
    """The error for a folder without a model, which says what makes one there."""
    name = shlex.quote(folder.name)
    if _can_make_its_model(folder):
        return CheckpointError(
            f"run {folder.name!r} has no model yet: its first evaluation makes one; "
            f"if it is not being trained, `charrnn train --resume {name}` goes on with it"
        )
    remedy = ""
    if folder.path.parent == CHECKPOINTS:
        replace = "" if folder.is_free() else " --replace"
        remedy = f"; `charrnn train TEXT --name {name}{replace}` makes one there"
    return CheckpointError(
        f"no model in the folder {str(folder.path)!r}: it has no {folder.model.name}{remedy}"
    )


def _can_make_its_model(folder: RunFolder) -> bool:
    """Whether a run without a model can be resumed: one that has not saved yet, or has kept the
    model before the one that is gone.
    """
    try:
        parse_object(folder.plan.read_bytes())
    except (OSError, ValueError):
        return False
    return folder.previous_model.exists() or not any(path.exists() for path in folder.states)


def _folders() -> list[RunFolder]:
    """The folders below `checkpoints/` that are not hidden, by name."""
    paths = sorted(CHECKPOINTS.glob("[!.]*"))
    return [RunFolder(path) for path in paths if path.is_dir()]
