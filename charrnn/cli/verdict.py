"""What a run has come to, as the command line shows it: the verdict, and what to do about it."""

import shlex
import sys
from typing import TYPE_CHECKING

from charrnn.cli.arguments import format_duration
from charrnn.cli.model_facts import inert
from charrnn.errors import CharRNNError

if TYPE_CHECKING:
    from charrnn.plan.plan import Plan
    from charrnn.runs.verdict import Verdict
    from charrnn.sampling.trained_model import Model

LONGER = 3.0
"""How many times as long as before a run that is still learning should go on, at least."""
LONGER_S = (60, 120, 300, 600, 1800, 3600, 7200, 18000, 36000, 86400)
"""The times that are suggested for that, in seconds."""


def plan_of(model: "Model") -> "Plan | None":
    """The plan of the run whose model this is; None for a file that lies elsewhere.

    A plan that cannot be read is named on stderr: the model is shown without it.
    """
    from charrnn.files.run_folder import RunFolder
    from charrnn.plan.plan import Plan

    folder = RunFolder(model.path.parent)
    if model.path != folder.model or not folder.plan.is_file():
        return None
    try:
        return Plan.read(folder.plan)
    except CharRNNError as error:
        print(f"charrnn: {error}", file=sys.stderr)
        return None


def verdict_on(model: "Model", plan: "Plan | None") -> "Verdict | None":
    """What the run with this `plan` has come to, by its model; None if nobody can tell.

    Metrics that cannot be read are named on stderr: the model is judged without them. They are also
    left out where there is no plan, and so no run.
    """
    from charrnn.files.run_folder import RunFolder
    from charrnn.runs import verdict
    from charrnn.runs.metrics import Metrics

    if plan is None:
        return verdict.verdict_on(model.checkpoint)
    try:
        reports = Metrics(RunFolder(model.path.parent).metrics).read()
    except CharRNNError as error:
        print(f"charrnn: {error}", file=sys.stderr)
        reports = []
    return verdict.verdict_on(model.checkpoint, plan, reports)


def verdict_rows(model: "Model", verdict: "Verdict | None") -> list[tuple[str, str]]:
    """(label, words) of the verdict, and of the command that gives a run the time it needs."""
    if verdict is None:
        return []
    rows = [("verdict", str(verdict))]
    took_s = model.checkpoint.training.get("elapsed_s")
    if verdict.kind == "still learning" and isinstance(took_s, int | float):
        longer = next((time_s for time_s in LONGER_S if time_s >= LONGER * took_s), LONGER_S[-1])
        command = f"charrnn train --resume {shlex.quote(model.name)}"
        rows.append(("go on with", inert(f"{command} --budget {format_duration(longer)}")))
    return rows
