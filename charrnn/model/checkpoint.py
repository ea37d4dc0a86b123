"""A model as one file: weights, vocabulary, sizes, where it came from and how well it does.

docs/file-formats.md describes the layout. Only numpy is needed to read or write it.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.marks import Marks
from charrnn.corpus.text_config import TextConfig
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import CheckpointError, VocabularyError
from charrnn.experts.layout import Shape, fits, from_tensors, types_and_shapes
from charrnn.files import sealed_file
from charrnn.files.formats import MODEL
from charrnn.files.typed_json import LONGEST_REASON, make_record
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SAMPLING_PRECISIONS, SamplingPrecision

PRECISION_COST = 0.003
"""Nats per character that a faster precision may cost and still be chosen."""

Weights = dict[str, NDArray[Any]]
"""The parameters, which are float32; of a model with experts also the tensors of
experts/layout.py."""


@dataclass(frozen=True)
class CorpusRecord:
    """What is remembered of the text that a model learned from; never the text itself."""

    name: str
    """The text's name, such as `shakespeare`."""
    sha256: str
    """SHA-256 of the text as UTF-8, or of the bytes as they are."""
    num_symbols: int
    """Characters of the whole text (bytes in byte mode)."""
    val_frac: float
    """Fraction of the text (of the records) that was held back for validation."""
    test_frac: float
    """Fraction of the text (of the records) that was held back for the test split."""
    records: Literal["line"] | None = None
    """What was learned as a text of its own: each line, or nothing but the whole text."""
    text: TextConfig = field(default_factory=TextConfig)
    """How the text was read."""
    split: Literal["tail", "streams"] = "tail"
    """What was held back: the end of the text, or of each of many streams (corpus/streams.py)."""
    num_streams: int | None = None
    """With streams: how many there are."""
    stream_unit: int | None = None
    """With streams: the length of each split of one is a multiple of so many characters."""
    marks: Marks | None = None
    """What the text costs without a model; None: an older charrnn wrote the file."""


@dataclass(frozen=True)
class Losses:
    """How well the model does on its validation split; None stands for what is not measured yet."""

    val_nats: float | None = None
    """Nats per character of the validation split."""
    val_characters: int | None = None
    """How many characters `val_nats` was measured on."""
    val_carried: bool = False
    """True if the state was carried exactly from the start of the split; False for the bounded
    estimate that is made during training."""
    val_windows_nats: float | None = None
    """Nats per character of the same text in windows of 256, each read from the zero state."""
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
    """Parameters by torch's names, `rnn.weight_ih_l0` and so on, and the experts' counts."""
    corpus: CorpusRecord
    losses: Losses = Losses()
    step: int = 0
    """Training steps that the weights have seen."""
    training: dict[str, Any] = field(default_factory=dict)
    """How the weights came about, for people to read: the plan's optimizer, run and step, and the
    elapsed seconds."""
    versions: dict[str, str] = field(default_factory=dict)
    """The versions of charrnn and torch that trained it."""


@dataclass(frozen=True)
class _Header:
    """The entries of a model file's header."""

    characters: str
    is_bytes: bool
    model: ModelConfig
    corpus: CorpusRecord
    losses: Losses
    step: int
    training: dict[str, Any]
    versions: dict[str, str]


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Replace `path` by the file of `checkpoint`. Raises OutputError."""
    header = _Header(
        characters=checkpoint.vocabulary.characters,
        is_bytes=checkpoint.vocabulary.is_bytes,
        model=checkpoint.config,
        corpus=checkpoint.corpus,
        losses=checkpoint.losses,
        step=checkpoint.step,
        training=checkpoint.training,
        versions=checkpoint.versions,
    )
    sealed_file.write(path, {**MODEL.header(), **asdict(header)}, checkpoint.weights)


def read(path: Path) -> Checkpoint:
    """Read and verify a model file.

    Raises CheckpointError if it is missing, damaged, a pickle, of another format, or inconsistent,
    NewerFormatError if a later charrnn wrote it.
    """
    sealed = sealed_file.SealedFile(path)
    MODEL.check(path, sealed.header)
    try:
        checkpoint = _described(make_record(_Header, sealed.header))
        _check_layout(sealed.layout, checkpoint.config)
    except (ValueError, VocabularyError) as error:
        reason = str(error)[:LONGEST_REASON]
        raise CheckpointError(f"{str(path)!r} is inconsistent: {reason}") from error
    checkpoint = replace(checkpoint, weights=sealed.tensors())
    try:
        _check_content(checkpoint)
    except ValueError as error:
        raise CheckpointError(f"{str(path)!r} is inconsistent: {error}") from error
    return checkpoint


def _described(header: _Header) -> Checkpoint:
    """The model, without its weights; raises ValueError or VocabularyError."""
    vocabulary = Vocabulary(header.characters, is_bytes=header.is_bytes)
    if len(vocabulary) != header.model.vocab_size:
        raise ValueError(
            f"{len(vocabulary)} characters for a vocab_size of {header.model.vocab_size}"
        )
    if (header.losses.val_nats is None) != (header.losses.val_characters is None):
        raise ValueError("'val_nats' and 'val_characters' belong together")
    return Checkpoint(
        config=header.model,
        vocabulary=vocabulary,
        weights={},
        corpus=header.corpus,
        losses=header.losses,
        step=header.step,
        training=header.training,
        versions=header.versions,
    )


def _check_layout(layout: sealed_file.Layout, config: ModelConfig) -> None:
    """Raise ValueError unless the tensors are those of `config`, of their types and shapes."""
    expected: dict[str, tuple[str, Shape]] = {
        name: ("<f4", shape) for name, shape in config.parameter_shapes().items()
    }
    if config.ngram_order:
        expected |= types_and_shapes(config.vocab_size, config.ngram_order)
    for name in sorted(layout.keys() | expected.keys()):
        if name not in layout or name not in expected:
            raise ValueError(f"tensor {name!r:.60} does not fit")
        (dtype, shape), (wanted_type, wanted_shape) = layout[name], expected[name]
        if not fits(shape, wanted_shape):
            raise ValueError(f"tensor {name!r:.60} does not fit")
        if dtype != wanted_type:
            raise ValueError(f"{name!r} is {dtype}, not {np.dtype(wanted_type)}")


def _check_content(checkpoint: Checkpoint) -> None:
    """Raise ValueError unless all parameters are finite and the experts' counts a table."""
    config, weights = checkpoint.config, checkpoint.weights
    for name, tensor in weights.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise ValueError(f"{name!r} is not finite")
    if config.ngram_order:
        from_tensors(weights, config.vocab_size, config.ngram_order)
