"""`charrnn info` and `charrnn list`: what a model is, and which runs there are."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.cli.arguments import format_count
from charrnn.cli.terminal import Color, ColorOption, JsonOption, ModelArgument, make_console

if TYPE_CHECKING:
    from charrnn.model.checkpoint import Checkpoint
    from charrnn.sampling.trained_model import Model


def info(
    model: ModelArgument = None, as_json: JsonOption = False, color: ColorOption = Color.AUTO
) -> None:
    """Show what a model is, where it came from and how well it does."""
    from charrnn.sampling import trained_model

    loaded = trained_model.load(model)
    if as_json:
        print(json.dumps(_record(loaded), ensure_ascii=False))
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for label, value in _rows(loaded):
        table.add_row(f"[bold]{label}[/]", escape(_inert(value)))
    make_console(sys.stdout, color).print(table)


def list_runs(as_json: JsonOption = False, color: ColorOption = Color.AUTO) -> None:
    """List the runs in ./checkpoints, newest first."""
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
    if as_json:
        for model in models:
            print(json.dumps(_record(model), ensure_ascii=False))
        return
    if not models:
        print("no runs in checkpoints/ yet; `charrnn train FILE` makes one", file=sys.stderr)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("run", "bits/char", "model", "size", "corpus", "steps", "written"):
        table.add_column(heading, justify="right" if heading in ("bits/char", "steps") else "left")
    for model in models:
        loaded = model.checkpoint
        table.add_row(
            escape(_inert(model.name)),
            _bits(loaded),
            _shape(loaded),
            format_count(loaded.config.num_parameters()),
            escape(_inert(loaded.corpus.name)),
            f"{loaded.step:,}",
            _written(model.path),
        )
    make_console(sys.stdout, color).print(table)


def _record(model: "Model") -> dict[str, Any]:
    loaded = model.checkpoint
    return {
        "name": model.name,
        "path": str(model.path),
        "written": _written(model.path),
        "model": asdict(loaded.config),
        "num_parameters": loaded.config.num_parameters(),
        "characters": loaded.vocabulary.characters,
        "is_bytes": loaded.vocabulary.is_bytes,
        "corpus": asdict(loaded.corpus),
        "losses": asdict(loaded.losses),
        "step": loaded.step,
        "training": loaded.training,
        "versions": loaded.versions,
    }


def _rows(model: "Model") -> list[tuple[str, str]]:
    loaded = model.checkpoint
    unit = "bytes" if loaded.vocabulary.is_bytes else "characters"
    by_line = ", each line a text of its own" if loaded.corpus.records else ""
    loop = loaded.training.get("loop")
    loop = loop if isinstance(loop, dict) else {}
    steps = loop.get("steps")
    return [
        ("model", str(model.path)),
        ("written", _written(model.path)),
        ("network", f"{_shape(loaded)}, {loaded.config.num_parameters():,} parameters"),
        ("vocabulary", f"{len(loaded.vocabulary)} {unit}: {_shown(loaded)}"),
        ("corpus", f"{loaded.corpus.name}, {loaded.corpus.num_symbols:,} {unit}{by_line}"),
        ("corpus sha256", loaded.corpus.sha256),
        ("validation", _validation(loaded)),
        ("sampling", _precisions(loaded)),
        (
            "trained",
            f"{loaded.step:,} of {steps if isinstance(steps, int) else loaded.step:,} steps",
        ),
        ("engine", f"{loop.get('engine')} {loop.get('precision')}, {loop.get('threads')} threads"),
        ("versions", ", ".join(f"{name} {value}" for name, value in loaded.versions.items())),
    ]


def _shape(loaded: "Checkpoint") -> str:
    """`lstm 2x128`: cell, layers, units."""
    config = loaded.config
    return f"{config.cell} {config.num_layers}x{config.hidden_size}"


def _shown(loaded: "Checkpoint") -> str:
    """The vocabulary on one line, control characters escaped, long ones shortened."""
    characters = loaded.vocabulary.characters
    return _inert(characters[:100]) + (" ..." if len(characters) > 100 else "")


def _inert(text: str) -> str:
    """Text out of a file, control characters escaped: it is shown, and does nothing."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _bits(loaded: "Checkpoint") -> str:
    from charrnn.inference.scoring import bits

    nats = loaded.losses.val_nats
    return "-" if nats is None else f"{'' if loaded.losses.val_carried else '~'}{bits(nats):.3f}"


def _validation(loaded: "Checkpoint") -> str:
    losses = loaded.losses
    if losses.val_nats is None:
        return "not measured yet"
    how = "state carried" if losses.val_carried else "estimate made while training"
    return (
        f"{_bits(loaded)} bits/char, {losses.val_nats:.4f} nats over {losses.val_characters:,} "
        f"characters ({how})"
    )


def _precisions(loaded: "Checkpoint") -> str:
    """`int8; fp32 1.8303, bf16 1.8303, int8 1.8304 nats over 32,768 characters`."""
    losses = loaded.losses
    if not losses.by_precision:
        return f"{losses.fastest_precision()}; no other precision was measured"
    measured = sorted(losses.by_precision.items(), key=lambda entry: entry[1])
    nats = ", ".join(f"{precision} {nats:.4f}" for precision, nats in measured)
    over = f"{losses.precision_characters:,} characters"
    return f"{losses.fastest_precision()}; {nats} nats over {over}"


def _written(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
