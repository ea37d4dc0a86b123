"""`charrnn list`: the runs that there are, and how well their models do."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrnn.cli.arguments import format_count
from charrnn.cli.terminal import Color, ColorOption, JsonOption, make_console, print_table

if TYPE_CHECKING:
    from rich.console import Console

    from charrnn.runs.verdict import Verdict
    from charrnn.sampling.trained_model import Model


def list_runs(as_json: JsonOption = False, color: ColorOption = Color.AUTO) -> None:
    """List the runs in ./checkpoints, newest first."""
    from charrnn.cli.model_facts import model_record
    from charrnn.cli.verdict import plan_of, verdict_on

    models = _read_models()
    verdicts = [verdict_on(model, plan_of(model)) for model in models]
    if as_json:
        for model, verdict in zip(models, verdicts, strict=True):
            print(json.dumps(model_record(model, verdict), ensure_ascii=False))
    elif not models:
        print("no runs in checkpoints/ yet; `charrnn train FILE` makes one", file=sys.stderr)
    else:
        _print_table(make_console(sys.stdout, color), models, verdicts)


def _read_models() -> list["Model"]:
    """The model of every run, the newest first; stderr hears of folders without a good one."""
    from charrnn.errors import CheckpointError, NewerFormatError
    from charrnn.files import run_folder
    from charrnn.model import checkpoint
    from charrnn.sampling.trained_model import Model

    models = []
    for folder in run_folder.list_runs():
        try:
            models.append(Model(folder.model, checkpoint.read(folder.model)))
        except (CheckpointError, NewerFormatError) as error:
            print(f"charrnn: {error}", file=sys.stderr)
    for folder in run_folder.list_without_model():
        print(f"charrnn: {run_folder.no_model_in(folder)}", file=sys.stderr)
    return models


def _print_table(
    console: "Console", models: Sequence["Model"], verdicts: Sequence["Verdict | None"]
) -> None:
    """Print a row for each model and the verdict on its run."""
    from charrnn.cli.model_facts import architecture, inert, validation_bits, written

    rows = [
        (
            inert(model.name),
            validation_bits(model.checkpoint),
            architecture(model.checkpoint.config),
            format_count(model.checkpoint.config.num_parameters()),
            inert(model.checkpoint.corpus.name),
            f"{model.checkpoint.step:,}",
            written(model.path),
            "" if verdict is None else verdict.words,
        )
        for model, verdict in zip(models, verdicts, strict=True)
    ]
    print_table(
        console,
        ("run", "bits/char", "model", "size", "corpus", "steps", "written", "verdict"),
        rows,
        right=("bits/char", "steps"),
        folded="verdict",
        dispensable=("steps", "size", "corpus", "written", "model"),
    )
