"""A model as one file: weights, vocabulary, sizes, where it came from and how well it does.

The layout is described in docs/checkpoint-format.md. Only numpy is needed to read or write it.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.text_config import TextConfig
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.files import sealed_file
from charrnn.files.typed_json import LONGEST_REASON, make_record, typed
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SAMPLING_PRECISIONS, SamplingPrecision

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
    split: Literal["tail", "streams"] = "tail"
    """What was held back: the end of the text, or of each of many streams (corpus/streams.py)."""
    num_streams: int | None = None
    stream_unit: int | None = None


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
    sealed = sealed_file.SealedFile(path)
    header = sealed.header
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{str(path)!r} holds {header.get('format')!r:.40}, not a model")
    if header.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{str(path)!r} has format version {header.get('format_version')!r:.40}; "
            f"this charrnn reads version {FORMAT_VERSION}: upgrade charrnn"
        )
    try:
        checkpoint = _described(header)
        _check_layout(sealed.layout, checkpoint.config)
    except (ValueError, KeyError, TypeError, AttributeError, CharRNNError) as error:
        reason = str(error)[:LONGEST_REASON]
        raise CheckpointError(f"{str(path)!r} is inconsistent: {reason}") from error
    checkpoint = replace(checkpoint, weights=sealed.tensors())
    for name, tensor in checkpoint.weights.items():
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"{str(path)!r} is inconsistent: {name!r} is not finite")
    return checkpoint


def _described(header: dict[str, Any]) -> Checkpoint:
    """What the header alone tells; raises ValueError, KeyError or a CharRNNError."""
    is_bytes = typed("is_bytes", header["is_bytes"], bool)
    characters = typed("characters", header["characters"], str)
    checkpoint = Checkpoint(
        config=ModelConfig(**header["model"]),
        vocabulary=Vocabulary(characters, is_bytes=is_bytes),
        weights={},
        corpus=make_record(CorpusRecord, header["corpus"]),
        losses=make_record(Losses, header["losses"]),
        step=typed("step", header["step"], int),
        training=typed("training", header["training"], dict[str, Any]),
        versions=typed("versions", header["versions"], dict[str, str]),
    )
    if len(checkpoint.vocabulary) != checkpoint.config.vocab_size:
        raise ValueError(
            f"{len(checkpoint.vocabulary)} characters for a vocab_size of "
            f"{checkpoint.config.vocab_size}"
        )
    losses = checkpoint.losses
    if (losses.val_nats is None) != (losses.val_characters is None):
        raise ValueError("'val_nats' and 'val_characters' belong together")
    return checkpoint


def _check_layout(layout: sealed_file.Layout, config: ModelConfig) -> None:
    """Raise ValueError unless the tensors are those of `config`, of its shapes and float32."""
    expected = config.parameter_shapes()
    found = {name: shape for name, (_, shape) in layout.items()}
    if found != expected:
        different = sorted(set(found.items()) ^ set(expected.items()))
        raise ValueError(f"tensor {different[0][0]!r:.60} does not fit")
    for name, (dtype, _) in layout.items():
        if dtype != "<f4":
            raise ValueError(f"{name!r} is {dtype}, not float32")
