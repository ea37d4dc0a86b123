"""`charrnn eval`: judge a model on a split of the text that it learned from."""

import json
from typing import Annotated, Literal

import typer

from charrnn.cli.terminal import JsonOption, ModelArgument
from charrnn.words import counted


def evaluate(
    model: ModelArgument = None,
    split: Annotated[
        Literal["validation", "test", "train"],
        typer.Option("--split", help="Part of the text that the model is judged on."),
    ] = "validation",
    corpus: Annotated[
        list[str] | None,
        typer.Option(
            "--corpus",
            metavar="CORPUS",
            help="Where the text is now, if it is not where the model learned from it; may be "
            "given again.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a model on a split of the text it learned from.

    Twice: with its state carried from start to end, and in windows of 256 characters that each
    begin with an empty state, as models with a fixed context are evaluated. Where the n-grams of
    the split were counted, as in training, a character is judged without the counts of its own
    ninth of it.
    """
    from charrnn import api
    from charrnn.cli.reading import reading_report
    from charrnn.inference.scoring import WINDOW
    from charrnn.sampling import trained_model

    loaded = trained_model.load(model)
    with reading_report() as report:
        evaluation = api.evaluate(loaded, split, corpus or None, report=report)
    carried, windows = evaluation.carried, evaluation.windows
    if as_json:
        result = {
            "model": loaded.name,
            "split": split,
            "characters": carried.characters,
            "bits_per_char": carried.bits_per_char,
            "nats_per_char": carried.nats_per_char,
            "windows_bits_per_char": windows.bits_per_char,
            "windows_nats_per_char": windows.nats_per_char,
            "held_out_counts": evaluation.held_out,
        }
        print(json.dumps(result))
        return
    print(f"{loaded.name}: {split}, {counted(carried.characters, 'character')}")
    for score, how in ((carried, "state carried"), (windows, f"windows of {WINDOW}, empty state")):
        print(f"  {score.bits_per_char:.4f} bits/char ({score.nats_per_char:.4f} nats), {how}")
    if evaluation.held_out:
        print("  the counts of the ninth of the text that a character stands in are held out")
