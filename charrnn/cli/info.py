"""`charrnn info`: what a model is, where it came from and how well it does."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from charrnn.cli.terminal import (
    Color,
    ColorOption,
    JsonOption,
    ModelArgument,
    make_console,
    print_command,
    print_labelled,
)
from charrnn.errors import CharRNNError

if TYPE_CHECKING:
    from charrnn.plan.plan import Plan
    from charrnn.sampling.trained_model import Model


def info(
    model: ModelArgument = None, as_json: JsonOption = False, color: ColorOption = Color.AUTO
) -> None:
    """Show what a model is, where it came from and how well it does.

    Of a run also the plan, the reason for each choice in it, and the command that repeats it.
    """
    from charrnn.cli.model_facts import inert, model_record, model_rows
    from charrnn.cli.plan_rows import plan_rows
    from charrnn.sampling import trained_model

    loaded = trained_model.load(model)
    plan = _plan_of(loaded)
    if as_json:
        record = model_record(loaded) | {"plan": None if plan is None else asdict(plan)}
        print(json.dumps(record, ensure_ascii=False))
        return
    console = make_console(sys.stdout, color)
    rows = model_rows(loaded, plan)
    if plan is not None:
        rows += [(label, inert(value)) for label, value in plan_rows(plan)]
    print_labelled(console, rows)
    if plan is not None:
        label = "learn about the same with" if plan.from_step else "repeat with"
        print_command(console, label, inert(plan.command(loaded.name)))


def _plan_of(model: "Model") -> "Plan | None":
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
