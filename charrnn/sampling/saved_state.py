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
from charrnn.sampling.place import Place


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
    names = CELLS[model.config.cell].state
    tensors = dict(zip(names, place.state, strict=True))
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
    names = CELLS[model.config.cell].state
    shape = (model.config.num_layers, 1, model.config.hidden_size)
    layout = dict.fromkeys(names, ("<f4", shape))
    if sealed.layout != layout or not 0 <= header.last <= model.config.vocab_size:
        raise CheckpointError(f"{str(path)!r} is inconsistent: that is no state of this model")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise CheckpointError(
            f"{str(path)!r} is inconsistent: it holds numbers that are not finite"
        )
    return Place(tuple(tensors[name] for name in names), header.last)
