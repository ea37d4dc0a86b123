"""`charrnn corpus`: the classic corpora, what a text is made of, and the cache of encoded texts."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.help import command, make_app
from charrnn.cli.option_parameters import given, with_options
from charrnn.cli.terminal import (
    Color,
    ColorOption,
    CorpusArgument,
    JsonOption,
    QuietOption,
    make_console,
    print_labelled,
    print_table,
)
from charrnn.corpus.text_config import TextConfig
from charrnn.words import counted

if TYPE_CHECKING:
    from rich.console import Console

    from charrnn.corpus.cache import CacheEntry
    from charrnn.corpus.statistics import Statistics
    from charrnn.plan.plan import Plan

app = make_app(
    "The classic corpora; what a text is made of; the cache of encoded texts.",
    "charrnn corpus list",
    "charrnn corpus stats notes.txt",
    no_args_is_help=True,
)


@command(app, "list", "charrnn corpus list", "charrnn corpus list --json")
def list_corpora(as_json: JsonOption = False, color: ColorOption = Color.AUTO) -> None:
    """List the corpora that `charrnn train NAME` and `charrnn corpus get NAME` fetch."""
    from charrnn.corpus.catalogue import CATALOGUE
    from charrnn.corpus.download import place_of
    from charrnn.corpus.source import CORPORA

    if as_json:
        for entry in CATALOGUE:
            here = place_of(entry, CORPORA).exists()
            print(json.dumps({**asdict(entry), "size": entry.size, "here": here}))
        return
    rows = [
        (
            entry.name,
            _format_megabytes(entry.size),
            "here" if place_of(entry, CORPORA).exists() else "",
            entry.licence,
            entry.split,
            entry.about,
        )
        for entry in CATALOGUE
    ]
    print_table(
        make_console(sys.stdout, color),
        ("name", "size", "", "licence", "usual split", "what it is"),
        rows,
        right=("size",),
        folded="what it is",
        dispensable=("usual split", "licence"),
    )


@command(
    app,
    "get",
    "charrnn corpus get shakespeare",
    "charrnn corpus get names --quiet",
)
def get(
    name: Annotated[str, typer.Argument(help="Name of a corpus in `charrnn corpus list`.")],
    quiet: QuietOption = False,
) -> None:
    """Fetch a corpus into ./corpora and print its path."""
    from charrnn import api
    from charrnn.cli.reading import reading_report

    with reading_report(quiet=quiet) as report:
        print(api.fetch_corpus(name, report=report))


@command(
    app,
    "stats",
    "charrnn corpus stats notes.txt",
    "charrnn corpus stats src/ --include '*.py'",
)
@with_options(TextConfig)
def stats(
    corpus: CorpusArgument = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    color: ColorOption = Color.AUTO,
    **options: Any,
) -> None:
    """Show what a text is made of, the bits per character that a compressor needs, and the plan.

    The plan is the one that `charrnn train` would make for it on this machine.
    """
    from charrnn import api
    from charrnn.cli.reading import announce_terminal, reading_report

    if not quiet:
        announce_terminal(corpus or ())
    with reading_report(quiet=quiet) as report:
        statistics, plan = api.describe(corpus or (), report=report, **given(options))
    if as_json:
        print(json.dumps(asdict(statistics) | {"plan": None if plan is None else asdict(plan)}))
        return
    unit = "byte" if options["as_bytes"] else "character"
    rows = _statistics_rows(statistics, unit)
    if plan is not None:
        rows.append(("train would choose", _plan_in_words(plan, unit)))
    print_labelled(make_console(sys.stdout, color), rows)


def _statistics_rows(statistics: "Statistics", unit: str) -> list[tuple[str, str]]:
    """(label, value) of everything that is known of a text whose symbols are called `unit`."""
    rows = [
        (
            "size",
            f"{counted(statistics.num_symbols, unit)}, {counted(statistics.num_bytes, 'byte')}",
        ),
        ("distinct", counted(statistics.vocab_size, unit)),
        ("sha256", statistics.sha256),
    ]
    if statistics.sample_size < statistics.num_symbols:
        rows.append(("measured on", f"the first {counted(statistics.sample_size, unit)}"))
    for order, entropy in enumerate(statistics.entropies):
        rows.append((f"entropy, order {order}", f"{entropy:.4f} bits per {unit}"))
    lowest = min(statistics.compressed.values(), default=None)
    for compressor, bits in statistics.compressed.items():
        mark = ", the mark to beat" if bits == lowest else ""
        rows.append((compressor, f"{bits:.4f} bits per {unit}{mark}"))
    return rows


def _plan_in_words(plan: "Plan", unit: str) -> str:
    """The model and the steps that `charrnn train` would choose, in a line."""
    from charrnn.cli.model_facts import architecture
    from charrnn.cli.plan_rows import budget_in_words, readings_in_words

    model, step = plan.model, plan.step
    return (
        f"{architecture(model)}, dropout {model.dropout:g}, "
        f"lr {plan.optimizer.lr:g}, {counted(plan.run.steps, 'step')} of {step.batch_size} x "
        f"{counted(step.seq_len, unit)}, about {readings_in_words(plan, plan.run.steps)}, "
        f"in {budget_in_words(plan)}"
    )


@command(app, "cache", "charrnn corpus cache", "charrnn corpus cache --clear")
def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove every text from the cache.")
    ] = False,
    as_json: JsonOption = False,
    color: ColorOption = Color.AUTO,
) -> None:
    """Show the encoded texts that are kept, so that they need not be read again."""
    from charrnn.cli.reading import reading_report
    from charrnn.corpus.cache import default_cache

    kept = default_cache()
    if clear:
        with reading_report() as report:
            print(f"{_format_megabytes(kept.clear(report))} removed from {kept.folder}")
        return
    entries = kept.entries()
    if as_json:
        for entry in entries:
            print(json.dumps({**asdict(entry), "path": str(entry.path)}))
    elif not entries:
        print(f"nothing is kept in {kept.folder}", file=sys.stderr)
    else:
        console = make_console(sys.stdout, color)
        _print_cache_table(console, entries)
        total = _format_megabytes(sum(entry.size for entry in entries))
        console.print(f"{total} in {kept.folder}", soft_wrap=True, markup=False)


def _print_cache_table(console: "Console", entries: Sequence["CacheEntry"]) -> None:
    """Print a row for each encoded text in the cache."""
    numbers = ("characters", "distinct", "on disk")
    rows = [
        (
            ", ".join(entry.names) or "(from a pipe)",
            f"{entry.num_ids:,}" if entry.num_ids else "damaged",
            str(entry.vocab_size),
            _format_megabytes(entry.size),
        )
        for entry in entries
    ]
    print_table(console, ("text", *numbers), rows, right=numbers, folded="text")


def _format_megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB"
