"""`charrnn info`: what a model is, where it came from and how well it does."""

import json
import sys

from charrnn.cli.terminal import (
    Color,
    ColorOption,
    JsonOption,
    ModelArgument,
    make_console,
    print_labelled,
)


def info(
    model: ModelArgument = None, as_json: JsonOption = False, color: ColorOption = Color.AUTO
) -> None:
    """Show what a model is, where it came from and how well it does."""
    from charrnn.cli.model_facts import model_record, model_rows
    from charrnn.sampling import trained_model

    loaded = trained_model.load(model)
    if as_json:
        print(json.dumps(model_record(loaded), ensure_ascii=False))
    else:
        print_labelled(make_console(sys.stdout, color), model_rows(loaded))
