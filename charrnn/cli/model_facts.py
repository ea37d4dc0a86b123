"""What is known of a model, in words for a terminal and as a record for JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.words import counted

if TYPE_CHECKING:
    from charrnn.model.checkpoint import Checkpoint
    from charrnn.model.config import ModelConfig
    from charrnn.plan.plan import Plan
    from charrnn.runs.verdict import Verdict
    from charrnn.sampling.trained_model import Model

WHOLE = 0.9
"""Fraction of the validation text's characters that counts as all of it: how many a split of lines
has is known only about."""
MAX_CHARACTERS_SHOWN = 100
"""Most characters of a vocabulary that are listed."""


def model_record(model: "Model", verdict: "Verdict | None") -> dict[str, Any]:
    """Everything that the model file says, and the verdict on its run, for JSON."""
    checkpoint = model.checkpoint
    kept = _kept_ngrams(checkpoint)
    return {
        "name": model.name,
        "path": str(model.path),
        "written": written(model.path),
        "model": asdict(checkpoint.config),
        "num_parameters": checkpoint.config.num_parameters(),
        "ngrams": None if kept is None else {"kept": kept[0], "bytes": kept[1]},
        "characters": checkpoint.vocabulary.characters,
        "is_bytes": checkpoint.vocabulary.is_bytes,
        "corpus": asdict(checkpoint.corpus),
        "losses": asdict(checkpoint.losses),
        "verdict": None if verdict is None else asdict(verdict),
        "step": checkpoint.step,
        "training": checkpoint.training,
        "versions": checkpoint.versions,
    }


def model_rows(model: "Model", plan: "Plan | None" = None) -> list[tuple[str, str]]:
    """(label, value) of everything that the model file says; nothing in them steers a terminal.

    `plan` is that of the run whose model this is, if there is one.
    """
    checkpoint = model.checkpoint
    config, corpus, vocabulary = checkpoint.config, checkpoint.corpus, checkpoint.vocabulary
    unit = _unit(checkpoint)
    listed = _list_characters(vocabulary.characters)
    by_line = ", each line a text of its own" if corpus.records else ""
    rows = [
        ("model", str(model.path)),
        ("written", written(model.path)),
        ("network", f"{architecture(config)}, {counted(config.num_parameters(), 'parameter')}"),
        *_ngram_rows(checkpoint),
        ("vocabulary", f"{counted(len(vocabulary), unit)}: {listed}"),
        ("corpus", f"{corpus.name}, {counted(corpus.num_symbols, unit)}{by_line}"),
        ("corpus sha256", corpus.sha256),
        ("validation", _validation(checkpoint)),
        ("sampling", _precisions(checkpoint)),
        *_training_rows(checkpoint, plan),
        *privacy_rows(checkpoint),
        ("versions", ", ".join(f"{name} {value}" for name, value in checkpoint.versions.items())),
    ]
    return [(label, inert(value)) for label, value in rows]


def privacy_rows(checkpoint: "Checkpoint") -> list[tuple[str, str]]:
    """(label, words) of what the model's file gives away of its text; none without experts."""
    from charrnn.cli.flags import with_flags
    from charrnn.experts.privacy import what_is_given_away

    config = checkpoint.config
    if not config.ngram_order:
        return []
    return [("privacy", with_flags(what_is_given_away(config.ngram_rule, _unit(checkpoint))))]


def _ngram_rows(checkpoint: "Checkpoint") -> list[tuple[str, str]]:
    """(label, words) of the n-grams that the model has counted, and by what rule they were kept."""
    kept = _kept_ngrams(checkpoint)
    if kept is None:
        return []
    config = checkpoint.config
    contexts = counted(config.ngram_order, _unit(checkpoint))
    number, size = counted(kept[0], "n-gram"), f"{kept[1] / 1e6:,.2f} MB"
    rule = f"--ngram-min-count {config.ngram_min_count}" + ", --private" * config.private
    return [("experts", f"contexts of up to {contexts}, {number} in {size} ({rule})")]


def _kept_ngrams(checkpoint: "Checkpoint") -> tuple[int, int] | None:
    """(How many n-grams are kept, the bytes that they take in the file); None without experts."""
    from charrnn.experts import layout

    if not checkpoint.config.ngram_order:
        return None
    counts = [checkpoint.weights[name] for name in layout.COUNTS]
    return len(checkpoint.weights[layout.SYMBOLS]) - 1, sum(array.nbytes for array in counts)


def _unit(checkpoint: "Checkpoint") -> str:
    """What one symbol of the model is called."""
    return "byte" if checkpoint.vocabulary.is_bytes else "character"


def architecture(config: "ModelConfig") -> str:
    """`lstm 2x128`: the cell, the number of layers and the hidden size."""
    return f"{config.cell} {config.num_layers}x{config.hidden_size}"


def validation_bits(checkpoint: "Checkpoint") -> str:
    """`2.053` bits per validation character; `about` before an estimate, `-` for no figure."""
    from charrnn.inference.scoring import bits

    losses = checkpoint.losses
    if losses.val_nats is None:
        return "-"
    return f"{'about ' if _is_estimate(checkpoint) else ''}{bits(losses.val_nats):.3f}"


def _is_estimate(checkpoint: "Checkpoint") -> bool:
    """Whether the loss was measured on a part of the validation text: all there was time for."""
    corpus, losses = checkpoint.corpus, checkpoint.losses
    whole = corpus.val_frac * corpus.num_symbols
    return not losses.val_carried or (losses.val_characters or 0) < WHOLE * whole


def written(path: Path) -> str:
    """`2025-01-31 17:05`: when the file was written, in local time."""
    return datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d %H:%M")


def inert(text: str) -> str:
    """Text out of a file, its control characters escaped so that it cannot steer a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _list_characters(characters: str) -> str:
    """The first characters of a vocabulary, on one line."""
    more = " ..." if len(characters) > MAX_CHARACTERS_SHOWN else ""
    return inert(characters[:MAX_CHARACTERS_SHOWN]) + more


def _validation(checkpoint: "Checkpoint") -> str:
    """How well the model predicts the validation text, and how that was measured."""
    losses = checkpoint.losses
    if losses.val_nats is None:
        return "not measured yet"
    how = "state carried" if losses.val_carried else "estimate made while training"
    return (
        f"{validation_bits(checkpoint)} bits/char, {losses.val_nats:.4f} nats over "
        f"{counted(losses.val_characters or 0, 'character')} ({how})"
    )


def _precisions(checkpoint: "Checkpoint") -> str:
    """`int8; fp32 1.8303, bf16 1.8303, int8 1.8304 nats over 32,768 characters`."""
    losses = checkpoint.losses
    if not losses.by_precision:
        return f"{losses.fastest_precision()}; no other precision was measured"
    measured = sorted(losses.by_precision.items(), key=lambda entry: entry[1])
    nats = ", ".join(f"{precision} {nats:.4f}" for precision, nats in measured)
    over = counted(losses.precision_characters, "character")
    return f"{losses.fastest_precision()}; {nats} nats over {over}"


def _training_rows(checkpoint: "Checkpoint", plan: "Plan | None") -> list[tuple[str, str]]:
    """The steps and the engine of the training; a stranger's file may hold anything for them."""
    from charrnn.cli.plan_rows import readings_in_words

    loop = checkpoint.training.get("loop")
    loop = loop if isinstance(loop, Mapping) else {}
    planned = loop.get("steps")
    trained = counted(checkpoint.step, "step")
    if isinstance(planned, int) and planned > checkpoint.step:
        trained += f" of {planned:,}"
    if plan is not None and (readings := readings_in_words(plan, checkpoint.step)):
        trained += f", {readings}"
    threads = loop.get("threads")
    threads = counted(threads, "thread") if isinstance(threads, int) else f"{threads} threads"
    return [
        ("trained", trained),
        ("engine", f"{loop.get('engine')} {loop.get('precision')}, {threads}"),
    ]
