"""A run is a folder below `checkpoints/` that holds its plan, model, training state and metrics.

docs/file-formats.md describes what each of the files holds.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from charrnn.errors import CheckpointError, OutputError, RunError, UsageError, did_you_mean
from charrnn.files import atomic, lock

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

    def clear(self) -> None:
        """Remove this run's files, and nothing else."""
        for path in (
            self.model,
            self.previous_model,
            self.training,
            self.previous_training,
            self.progress,
            self.plan,
            self.metrics,
            self.corpus,
        ):
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
    """Return `name` if it can name a run; raise UsageError otherwise."""
    if not name or name.startswith(".") or Path(name).name != name:
        raise UsageError(f"`name` {name!r}: use a plain name, without slashes or a leading dot")
    return name


def check_free(name: str) -> None:
    """Raise RunError if a run called `name` exists."""
    if (CHECKPOINTS / name).exists():
        raise RunError(
            f"a run named {name!r} exists; continue it with `resume` {name}, "
            "write over it with `replace`, or choose another `name`"
        )


def create(name: str, *, explicit: bool, replace: bool) -> RunFolder:
    """Make the folder of a new run, or find the one to replace, whose files are still there.

    A name that was not given explicitly gets a number if it is taken. Raises RunError if an
    explicit name is taken and `replace` is not set, OutputError if the folder cannot be made.
    """
    for number in range(1, 1_000_000):
        folder = RunFolder(CHECKPOINTS / (name if number == 1 else f"{name}-{number}"))
        try:
            CHECKPOINTS.mkdir(exist_ok=True)
            folder.path.mkdir()
        except FileExistsError:
            if replace:
                return folder
            if explicit:
                check_free(name)
            continue
        except OSError as error:
            message = f"cannot make the folder {str(folder.path)!r}: {error.strerror or error}"
            raise OutputError(message) from error
        return folder
    raise RunError(f"too many runs named {name!r}; choose another `name`")


def free_prefix(prefix: str, members: Sequence[str], *, explicit: bool) -> str:
    """`prefix`, with a number if need be, such that no run is called PREFIX-MEMBER yet.

    Raises RunError if a run of an explicit `prefix` exists.
    """
    for number in range(1, 1_000_000):
        name = prefix if number == 1 else f"{prefix}-{number}"
        runs = [f"{name}-{member}" for member in members]
        taken = [run for run in runs if (CHECKPOINTS / run).exists()]
        if not taken:
            return name
        if explicit:
            raise RunError(
                f"a run named {taken[0]!r} exists; write over it with `replace`, "
                "or choose another `name`"
            )
    raise RunError(f"too many runs named {prefix!r}; choose another `name`")


def find_run(name: str) -> RunFolder:
    """The existing run called `name`, or whose folder `name` is; raises RunError if none is."""
    for path in (CHECKPOINTS / name, Path(name)):
        if path.is_dir():
            return RunFolder(path)
    raise RunError(
        f"no run named {name!r} in {CHECKPOINTS}/; `charrnn list` shows those there are"
        + did_you_mean(name, _names_in_checkpoints())
    )


def list_runs() -> list[RunFolder]:
    """The runs below `checkpoints/` that have a model, the newest model first."""
    folders = [RunFolder(path) for path in CHECKPOINTS.glob("*") if path.is_dir()]
    with_model = [folder for folder in folders if folder.model.is_file()]
    return sorted(with_model, key=lambda folder: folder.model.stat().st_mtime_ns, reverse=True)


def find_model(argument: str | None) -> Path:
    """The model file that `argument` names: a run, a folder, or a file.

    None stands for what $CHARRNN_MODEL names, or else for the newest run. Raises CheckpointError if
    there is no such model.
    """
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
            model = RunFolder(path).model
            if not model.is_file():
                raise CheckpointError(f"no model in {str(path)!r}: it has no {model.name} (yet)")
            return model
        if path.is_file():
            return path
    raise CheckpointError(
        f"no model {argument!r}: no run in {CHECKPOINTS}/ (see `charrnn list`), file or folder"
        + did_you_mean(argument, _names_in_checkpoints())
    )


def _names_in_checkpoints() -> list[str]:
    return [path.name for path in CHECKPOINTS.glob("*") if path.is_dir()]
