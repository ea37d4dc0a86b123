"""`charrnn info`: what a model is, where it came from and how well it does."""

import json
import sys
from dataclasses import asdict

from charrnn.cli.terminal import (
    Color,
    ColorOption,
    JsonOption,
    ModelArgument,
    make_console,
    print_command,
    print_labelled,
)


def info(
    model: ModelArgument = None, as_json: JsonOption = False, color: ColorOption = Color.AUTO
) -> None:
    """Show what a model is, where it came from and how well it does.

    Of a run also the plan, the reason for each choice in it, and the command that repeats it.
    """
    from charrnn.cli.model_facts import inert, model_record, model_rows
    from charrnn.cli.plan_rows import plan_rows
    from charrnn.cli.verdict import plan_of, verdict_on, verdict_rows
    from charrnn.sampling import trained_model

    loaded = trained_model.load(model)
    plan = plan_of(loaded)
    verdict = verdict_on(loaded, plan)
    if as_json:
        record = model_record(loaded, verdict) | {"plan": None if plan is None else asdict(plan)}
        print(json.dumps(record, ensure_ascii=False))
        return
    console = make_console(sys.stdout, color)
    rows = model_rows(loaded, plan)
    if plan is not None:
        rows += [(label, inert(value)) for label, value in plan_rows(plan)]
    print_labelled(console, rows + verdict_rows(loaded, verdict))
    if plan is not None:
        label = "learn about the same with" if plan.from_step else "repeat with"
        print_command(console, label, inert(plan.command(loaded.name)))
