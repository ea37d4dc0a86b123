"""A place in a text as a small file, so that a later command goes on without reading it again.

The file is sealed (sealed_file.py) and bound to the weights it came from: the state of one model
means nothing to another.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CheckpointError
from charrnn.files import sealed_file
from charrnn.model.cells import CELLS
from charrnn.model.checkpoint import Checkpoint
from charrnn.sampling.place import Place

FORMAT = "charrnn-state"
FORMAT_VERSION = 1


def fingerprint(model: Checkpoint) -> str:
    """SHA-256 of what makes the model write as it does: characters, sizes, weights."""
    header = {
        "cell": model.config.cell,
        "characters": model.vocabulary.characters,
        "is_bytes": model.vocabulary.is_bytes,
    }
    return sealed_file.seal(header, model.weights)


def write(path: Path, place: Place, model: Checkpoint) -> None:
    """Write `place` atomically. Raises CheckpointError."""
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": fingerprint(model),
        "last": place.last,
    }
    names = CELLS[model.config.cell].state
    sealed_file.write(path, header, dict(zip(names, place.state, strict=True)))


def read(path: Path, model: Checkpoint) -> Place:
    """Read and verify a place. Raises CheckpointError if it is no place in a text of `model`."""
    header, tensors = sealed_file.read(path)
    if (header.get("format"), header.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise CheckpointError(
            f"{str(path)!r} holds {header.get('format')!r}, not a state of this version; "
            "--save-state writes one"
        )
    if header.get("model") != fingerprint(model):
        raise CheckpointError(
            f"{str(path)!r} is the state of another model: name the model that wrote it"
        )
    names = CELLS[model.config.cell].state
    shape = (model.config.num_layers, 1, model.config.hidden_size)
    last = header.get("last")
    if not (
        set(tensors) == set(names)
        and all(_is_state(tensors[name], shape) for name in names)
        and type(last) is int
        and 0 <= last <= model.config.vocab_size
    ):
        raise CheckpointError(f"{str(path)!r} is inconsistent: that is no state of this model")
    return Place(tuple(tensors[name] for name in names), last)


def _is_state(tensor: NDArray[Any], shape: tuple[int, ...]) -> bool:
    return tensor.shape == shape and tensor.dtype == np.float32 and bool(np.isfinite(tensor).all())
