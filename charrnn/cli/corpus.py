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
    make_table,
)
from charrnn.corpus.text_config import TextConfig

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
    headings = ("name", "size", "", "licence", "usual split")
    table = make_table(headings, right=("size",), no_wrap=True)
    table.add_column("what it is")
    for entry in CATALOGUE:
        state = "here" if place_of(entry, CORPORA).exists() else ""
        size = _format_megabytes(entry.size)
        table.add_row(entry.name, size, state, entry.licence, entry.split, entry.about)
    make_console(sys.stdout, color).print(table)


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
    _print_facts(make_console(sys.stdout, color), rows)


def _statistics_rows(statistics: "Statistics", unit: str) -> list[tuple[str, str]]:
    """(label, value) of everything that is known of a text whose symbols are called `unit`."""
    rows = [
        ("size", f"{statistics.num_symbols:,} {unit}s, {statistics.num_bytes:,} bytes"),
        ("distinct", f"{statistics.vocab_size:,} {unit}s"),
        ("sha256", statistics.sha256),
    ]
    if statistics.sample_size < statistics.num_symbols:
        rows.append(("measured on", f"the first {statistics.sample_size:,} {unit}s"))
    for order, entropy in enumerate(statistics.entropies):
        rows.append((f"entropy, order {order}", f"{entropy:.4f} bits per {unit}"))
    lowest = min(statistics.compressed.values(), default=None)
    for compressor, bits in statistics.compressed.items():
        mark = ", the mark to beat" if bits == lowest else ""
        rows.append((compressor, f"{bits:.4f} bits per {unit}{mark}"))
    return rows


def _plan_in_words(plan: "Plan", unit: str) -> str:
    """The model and the steps that `charrnn train` would choose, in a line."""
    from charrnn.cli.arguments import format_duration
    from charrnn.cli.model_facts import architecture
    from charrnn.plan.request import DEFAULT_BUDGET_S

    model, step = plan.model, plan.step
    return (
        f"{architecture(model)}, dropout {model.dropout:g}, "
        f"lr {plan.optimizer.lr:g}, {plan.run.steps:,} steps of {step.batch_size} x "
        f"{step.seq_len} {unit}s, in {format_duration(DEFAULT_BUDGET_S)}"
    )


def _print_facts(console: "Console", rows: Sequence[tuple[str, str]]) -> None:
    """Print labels and values in two columns; a value that is too wide goes on in the next line."""
    from rich.table import Column, Table

    grid = Table.grid("", Column(overflow="fold"), padding=(0, 2))
    for label, value in rows:
        grid.add_row(f"[bold]{label}[/]", value)
    console.print(grid)


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
    from rich.markup import escape

    numbers = ("characters", "distinct", "on disk")
    table = make_table(("text", *numbers), right=numbers)
    for entry in entries:
        table.add_row(
            escape(", ".join(entry.names) or "(from a pipe)"),
            f"{entry.num_ids:,}" if entry.num_ids else "damaged",
            str(entry.vocab_size),
            _format_megabytes(entry.size),
        )
    console.print(table)


def _format_megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB"
