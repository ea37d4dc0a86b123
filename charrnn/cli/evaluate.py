"""`charrnn eval`: a model on its own validation or test split."""

import json
from typing import Annotated, Literal

import typer

from charrnn.cli.terminal import JsonOption, ModelArgument


def evaluate(
    model: ModelArgument = None,
    split: Annotated[
        Literal["validation", "test", "train"],
        typer.Option("--split", help="Which part of the text."),
    ] = "validation",
    corpus: Annotated[
        list[str] | None,
        typer.Option(
            "--corpus", help="Where the text is now, if not where it was.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score a model on a split of the text it learned from, its state carried from start to end."""
    from charrnn import api
    from charrnn.cli.reading import ReadingDisplay

    loaded = api.load(model)
    display = ReadingDisplay()
    try:
        score = api.evaluate(loaded, split, corpus or None, report=display.show)
    finally:
        display.close()
    if as_json:
        result = {
            "model": loaded.name,
            "split": split,
            "characters": score.characters,
            "bits_per_char": score.bits_per_char,
            "nats_per_char": score.nats_per_char,
        }
        print(json.dumps(result))
        return
    print(
        f"{loaded.name}: {split} {score.bits_per_char:.4f} bits/char "
        f"({score.nats_per_char:.4f} nats) over {score.characters:,} characters"
    )
