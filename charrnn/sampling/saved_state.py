"""A place in a text as a small file, so that a later command goes on without reading it again.

The file is sealed (sealed_file.py) and bound to the weights it came from: the state of one model
means nothing to another.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from charrnn.errors import CheckpointError
from charrnn.files import sealed_file
from charrnn.files.formats import SAVED_STATE
from charrnn.files.typed_json import make_record
from charrnn.model.cells import CELLS
from charrnn.model.checkpoint import Checkpoint
from charrnn.model.config import ModelConfig
from charrnn.sampling.place import Place

RECENT = "recent"
"""Name of the tensor that holds the symbols which n-gram experts remember."""


@dataclass(frozen=True)
class _Header:
    """The entries of a saved state's header."""

    model: str
    """Fingerprint of the model that the state belongs to."""
    last: int
    """Id of the symbol before the place, which has not been read yet."""


def fingerprint(model: Checkpoint) -> str:
    """SHA-256 of what makes the model write as it does: characters, sizes, weights."""
    header = {
        "cell": model.config.cell,
        "characters": model.vocabulary.characters,
        "is_bytes": model.vocabulary.is_bytes,
    }
    return sealed_file.seal(header, model.weights)


def write(path: Path, place: Place, model: Checkpoint) -> None:
    """Replace `path` by the file of `place`, a place in a text of `model`. Raises OutputError."""
    header = _Header(fingerprint(model), place.last)
    tensors = dict(zip(_layout(model.config), place.state, strict=True))
    sealed_file.write(path, {**SAVED_STATE.header(), **asdict(header)}, tensors)


def read(path: Path, model: Checkpoint) -> Place:
    """Read and verify a place in a text of `model`.

    Raises CheckpointError if the file is missing, damaged, of another format or of another model,
    NewerFormatError if a later charrnn wrote it.
    """
    sealed = sealed_file.SealedFile(path)
    SAVED_STATE.check(path, sealed.header)
    tensors = sealed.tensors()
    try:
        header = make_record(_Header, sealed.header)
    except ValueError as error:
        raise CheckpointError(f"{str(path)!r} is inconsistent: {error}") from error
    if header.model != fingerprint(model):
        raise CheckpointError(
            f"{str(path)!r} is the state of another model: name the model that wrote it"
        )
    layout, unknown = _layout(model.config), model.config.vocab_size
    if sealed.layout != layout or not 0 <= header.last <= unknown:
        raise CheckpointError(f"{str(path)!r} is inconsistent: that is no state of this model")
    if RECENT in layout and not ((tensors[RECENT] >= 0) & (tensors[RECENT] <= unknown)).all():
        raise CheckpointError(f"{str(path)!r} is inconsistent: {RECENT!r} holds what is no symbol")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise CheckpointError(
            f"{str(path)!r} is inconsistent: it holds numbers that are not finite"
        )
    return Place(tuple(tensors[name] for name in layout), header.last)


def _layout(config: ModelConfig) -> sealed_file.Layout:
    """The tensors of a state of the model of `config`, in the order of a State's parts."""
    shape = (config.num_layers, 1, config.hidden_size)
    layout: sealed_file.Layout = dict.fromkeys(CELLS[config.cell].state, ("<f4", shape))
    if config.ngram_order:
        layout[RECENT] = ("<i4", (1, 1, config.ngram_order))
    return layout
