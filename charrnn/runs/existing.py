"""A run that is there already: whether it can go on, and what to do where it cannot."""

import shlex

from charrnn.errors import CheckpointError, RunError
from charrnn.files.run_folder import CHECKPOINTS, RunFolder
from charrnn.model import checkpoint
from charrnn.plan.plan import Plan


def check_free(name: str) -> None:
    """Raise RunError if there is a run called `name`, or a file in the place of its folder.

    Raises NewerFormatError if a later charrnn planned the run.
    """
    folder = RunFolder(CHECKPOINTS / name)
    if folder.is_free():
        return
    if not folder.path.is_dir():
        raise RunError(f"{str(folder.path)!r} is a file: choose another `name`")
    ways = [f"continue it with `resume` {shlex.quote(name)}"]
    try:
        read_plan(folder)
    except RunError:
        ways = []
    ways += ["write over it with `replace`", "or choose another `name`"]
    raise RunError(f"a run named {name!r} exists; {', '.join(ways)}")


def read_plan(folder: RunFolder) -> Plan:
    """The plan of the run in `folder`, by which it can go on.

    Raises RunError if it cannot, NewerFormatError if a later charrnn planned it.
    """
    try:
        plan = Plan.read(folder.plan)
    except RunError as error:
        problem = str(error) if folder.plan.exists() else f"it has no {folder.plan.name}"
        raise _cannot_go_on(folder, problem) from error
    if _has_finished_model(folder) and not any(path.exists() for path in folder.states):
        raise _cannot_go_on(folder, "it is finished, and its training state is gone")
    return plan


def _has_finished_model(folder: RunFolder) -> bool:
    """Whether the run's model is there and has been judged, as at the end of a run."""
    try:
        return checkpoint.read(folder.model).losses.val_carried
    except CheckpointError:
        return False


def _cannot_go_on(folder: RunFolder, problem: str) -> RunError:
    """The error for a run that cannot go on because of `problem`."""
    name = shlex.quote(folder.name)
    remedy = f"train it anew with `name` {name} and `replace`"
    if folder.model.exists():
        remedy = f"`init_from` {name} begins a new run with what it has learned"
    return RunError(f"run {folder.name!r} cannot go on: {problem}; {remedy}")
