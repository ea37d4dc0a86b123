"""A model as one file: weights, vocabulary, sizes, where it came from and how well it does.

The layout is described in docs/checkpoint-format.md. Only numpy is needed to read or write it.
"""

import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from charrnn import sealed_file
from charrnn.corpus.text import TextConfig
from charrnn.engines.config import SAMPLING_PRECISIONS, SamplingPrecision
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.model.config import ModelConfig
from charrnn.vocabulary import Vocabulary

FORMAT = "charrnn-model"
FORMAT_VERSION = 1

PRECISION_COST = 0.003
"""Nats per character that a faster precision may cost and still be chosen."""

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class CorpusRecord:
    """What is remembered of the text that a model learned from; never the text itself."""

    name: str
    sha256: str
    num_symbols: int
    """Characters of the whole text (bytes in byte mode)."""
    val_frac: float
    test_frac: float
    records: Literal["line"] | None = None
    """What was learned as a text of its own."""
    text: TextConfig = field(default_factory=TextConfig)
    """How the text was read."""


@dataclass(frozen=True)
class Losses:
    """How well the model does on its validation split. None: not measured yet."""

    val_nats: float | None = None
    """Nats per character of the validation split."""
    val_characters: int | None = None
    """How many characters `val_nats` was measured on."""
    val_carried: bool = False
    """True if the state was carried exactly from the start of the split; False for the bounded
    estimate that is made during training."""
    val_windows_nats: float | None = None
    """The same characters in windows of 256, each read from the zero state."""
    by_precision: dict[str, float] = field(default_factory=dict)
    """Nats per character of each sampling precision, all estimated on the same part of the
    validation split, so that they can be compared with each other; empty: not measured."""
    precision_characters: int = 0
    """How many characters each of `by_precision` was measured on."""

    def fastest_precision(self) -> SamplingPrecision:
        """The fastest precision that costs less than PRECISION_COST; fp32 if none was measured.

        It depends on the model alone, so that a seed gives the same text on every machine.
        """
        exact = self.by_precision.get("fp32", -math.inf)
        for precision in reversed(SAMPLING_PRECISIONS):
            if self.by_precision.get(precision, math.inf) - exact < PRECISION_COST:
                return precision
        return "fp32"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained model, ready to be written, or read and verified."""

    config: ModelConfig
    vocabulary: Vocabulary
    weights: Weights
    """Parameters by torch's names: `rnn.weight_ih_l0` and so on, float32."""
    corpus: CorpusRecord
    losses: Losses = Losses()
    step: int = 0
    """Training steps that the weights have seen."""
    training: dict[str, Any] = field(default_factory=dict)
    """How it was trained: optimizer, plan and elapsed time, for people to read."""
    versions: dict[str, str] = field(default_factory=dict)
    """The versions of charrnn and torch that trained it."""


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path` atomically."""
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "characters": checkpoint.vocabulary.characters,
        "is_bytes": checkpoint.vocabulary.is_bytes,
        "model": asdict(checkpoint.config),
        "corpus": asdict(checkpoint.corpus),
        "losses": asdict(checkpoint.losses),
        "step": checkpoint.step,
        "training": checkpoint.training,
        "versions": checkpoint.versions,
    }
    sealed_file.write(path, header, checkpoint.weights)


def read(path: Path) -> Checkpoint:
    """Read and verify a model file.

    Raises CheckpointError if it is missing, damaged, a pickle, of another format, or inconsistent.
    """
    header, tensors = sealed_file.read(path)
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{str(path)!r} holds {header.get('format')!r}, not a model")
    if header.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{str(path)!r} has format version {header.get('format_version')}; "
            f"this charrnn reads version {FORMAT_VERSION}: upgrade charrnn"
        )
    try:
        checkpoint = Checkpoint(
            config=ModelConfig(**header["model"]),
            vocabulary=Vocabulary(header["characters"], is_bytes=header["is_bytes"]),
            weights=tensors,
            corpus=_corpus_record(header["corpus"]),
            losses=Losses(**_known(Losses, header["losses"])),
            step=header["step"],
            training=header["training"],
            versions=header["versions"],
        )
    except (KeyError, TypeError, AttributeError, CharRNNError) as error:
        raise CheckpointError(f"{str(path)!r} is inconsistent: {error}") from error
    _verify(path, checkpoint)
    return checkpoint


def _corpus_record(values: dict[str, Any]) -> CorpusRecord:
    known = _known(CorpusRecord, values)
    text = TextConfig(**_known(TextConfig, known.pop("text", {})))
    return CorpusRecord(**known, text=text)


def _known(record: type, values: dict[str, Any]) -> dict[str, Any]:
    """Only the entries that `record` has a field for, so that later versions may add some."""
    names = {entry.name for entry in fields(record)}
    return {name: value for name, value in values.items() if name in names}


def _verify(path: Path, checkpoint: Checkpoint) -> None:
    if len(checkpoint.vocabulary) != checkpoint.config.vocab_size:
        raise CheckpointError(
            f"{str(path)!r} is inconsistent: {len(checkpoint.vocabulary)} characters for a "
            f"vocab_size of {checkpoint.config.vocab_size}"
        )
    by_precision = checkpoint.losses.by_precision
    if type(by_precision) is not dict or {*map(type, by_precision.values())} - {float}:
        raise CheckpointError(f"{str(path)!r} is inconsistent: 'by_precision' holds no losses")
    expected = checkpoint.config.parameter_shapes()
    found = {name: tensor.shape for name, tensor in checkpoint.weights.items()}
    if found != expected:
        different = sorted(set(found.items()) ^ set(expected.items()))
        raise CheckpointError(
            f"{str(path)!r} is inconsistent: tensor {different[0][0]!r} does not fit"
        )
    for name, tensor in checkpoint.weights.items():
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise CheckpointError(f"{str(path)!r} is inconsistent: {name!r} is not finite float32")
