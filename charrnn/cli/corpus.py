"""`charrnn corpus`: the classic corpora, what a text is made of, and the cache of encoded texts."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.option_parameters import given, with_options
from charrnn.cli.terminal import Color, ColorOption, JsonOption, QuietOption, make_console
from charrnn.corpus.text_config import TextConfig

if TYPE_CHECKING:
    from charrnn.corpus.progress import Report

app = typer.Typer(
    help="The classic corpora; what a text is made of; the cache.", no_args_is_help=True
)


@app.command("list")
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
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "size", "", "licence", "usual split"):
        table.add_column(heading, justify="right" if heading == "size" else "left", no_wrap=True)
    table.add_column("what it is")
    for entry in CATALOGUE:
        state = "here" if place_of(entry, CORPORA).exists() else ""
        size = _megabytes(entry.size)
        table.add_row(entry.name, size, state, entry.licence, entry.split, entry.about)
    make_console(sys.stdout, color).print(table)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="As `charrnn corpus list` shows it.")],
    quiet: QuietOption = False,
) -> None:
    """Fetch a corpus into ./corpora and print its path."""
    from charrnn import api

    with _Shown(quiet) as report:
        print(api.fetch_corpus(name, report=report))


@app.command("stats")
@with_options(TextConfig)
def stats(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILES...", help="As for `charrnn train`.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    color: ColorOption = Color.AUTO,
    **options: Any,
) -> None:
    """Show what a text is made of, the bits per character that a compressor needs, and the plan.

    The plan is the one that `charrnn train` would make for it on this machine.
    """
    from charrnn import api
    from charrnn.cli.arguments import format_duration
    from charrnn.cli.reading import announce_terminal
    from charrnn.plan.request import DEFAULT_BUDGET_S

    if not quiet:
        announce_terminal(files or ())
    with _Shown(quiet) as report:
        found, plan = api.describe(files or (), report=report, **given(options))
    if as_json:
        print(json.dumps(asdict(found) | {"plan": None if plan is None else asdict(plan)}))
        return
    from rich.table import Column, Table

    unit = "byte" if options["as_bytes"] else "character"
    table = Table.grid("", Column(overflow="fold"), padding=(0, 2))
    rows = [
        ("size", f"{found.num_symbols:,} {unit}s, {found.num_bytes:,} bytes"),
        ("distinct", f"{found.vocab_size:,} {unit}s"),
        ("sha256", found.sha256),
    ]
    if found.sample_size < found.num_symbols:
        rows.append(("measured on", f"the first {found.sample_size:,} {unit}s"))
    for order, entropy in enumerate(found.entropies):
        rows.append((f"entropy, order {order}", f"{entropy:.4f} bits per {unit}"))
    for name, bits in found.compressed.items():
        mark = ", the mark to beat" if bits == min(found.compressed.values()) else ""
        rows.append((name, f"{bits:.4f} bits per {unit}{mark}"))
    if plan is not None:
        model, step = plan.model, plan.step
        rows.append(
            (
                "train would choose",
                f"{model.cell} {model.num_layers}x{model.hidden_size}, dropout {model.dropout:g}, "
                f"lr {plan.optimizer.lr:g}, {plan.run.steps:,} steps of {step.batch_size} x "
                f"{step.seq_len} {unit}s, in {format_duration(DEFAULT_BUDGET_S)}",
            )
        )
    for label, value in rows:
        table.add_row(f"[bold]{label}[/]", value)
    make_console(sys.stdout, color).print(table)


@app.command("cache")
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove everything in it.")] = False,
    as_json: JsonOption = False,
    color: ColorOption = Color.AUTO,
) -> None:
    """Show the encoded texts that are kept, so that they need not be read again."""
    from charrnn.corpus.cache import default_cache

    kept = default_cache()
    if clear:
        with _Shown(quiet=False) as report:
            print(f"{_megabytes(kept.clear(report))} removed from {kept.folder}")
        return
    entries = kept.entries()
    if as_json:
        for entry in entries:
            print(json.dumps({**asdict(entry), "path": str(entry.path)}))
        return
    if not entries:
        print(f"nothing is kept in {kept.folder}", file=sys.stderr)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("text", "characters", "distinct", "on disk"):
        table.add_column(heading, justify="left" if heading == "text" else "right")
    for entry in entries:
        name = ", ".join(entry.names) or "(from a pipe)"
        characters = f"{entry.num_ids:,}" if entry.num_ids else "damaged"
        table.add_row(escape(name), characters, str(entry.vocab_size), _megabytes(entry.size))
    console = make_console(sys.stdout, color)
    console.print(table)
    total = sum(entry.size for entry in entries)
    console.print(f"{_megabytes(total)} in {kept.folder}", soft_wrap=True, markup=False)


class _Shown:
    """`with _Shown(quiet) as report`: what a task tells goes to stderr, unless `quiet`."""

    def __init__(self, quiet: bool) -> None:
        from charrnn.cli.reading import ReadingDisplay

        self._display = ReadingDisplay()
        self._quiet = quiet

    def __enter__(self) -> "Report":
        from charrnn.corpus.progress import silent

        return silent if self._quiet else self._display.show

    def __exit__(self, *_: object) -> None:
        self._display.close()


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
