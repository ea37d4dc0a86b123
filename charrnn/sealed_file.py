"""Files that are safe to open and never half-written: safetensors with a sealed JSON header.

The file is ordinary safetensors. Its single metadata key, `charrnn`, holds canonical JSON (sorted
keys, no spaces, UTF-8), in which `sha256` is taken over the rest of the JSON and over every
tensor's name, type, shape and bytes. Reading executes nothing: no pickle anywhere.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save

from charrnn.errors import CheckpointError

Tensors = Mapping[str, NDArray[Any]]
Header = Mapping[str, Any]

KEY = "charrnn"
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def canonical_json(header: Header) -> str:
    """The one spelling of `header`: sorted keys, no spaces, no escapes but JSON's own, no NaN."""
    return json.dumps(
        header, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def seal(header: Header, tensors: Tensors) -> str:
    """SHA-256, in hex, of the header and of every tensor in the order of their names."""
    digest = hashlib.sha256(canonical_json(header).encode())
    for name in sorted(tensors):
        tensor = np.asarray(tensors[name], order="C")
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def write(path: Path, header: Header, tensors: Tensors) -> None:
    """Write beside `path`, flush to the disk, and rename into place. Raises CheckpointError."""
    sealed = canonical_json({**header, "sha256": seal(header, tensors)})
    contiguous = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    write_atomically(path, save(contiguous, metadata={KEY: sealed}))


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by a file holding `data`: a reader sees the old file or the new one."""
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes the place of `path` at the end, unless something goes wrong.

    What is there and no plain file, such as a device, is written to as it is. Raises
    CheckpointError where the file cannot be written.
    """
    temporary = None
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as beside:
            temporary = Path(beside.name)
            yield beside
            beside.flush()
            os.fsync(beside.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise CheckpointError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return (header, tensors) of a sealed file whose checksum agrees.

    Raises CheckpointError for a file that is missing, of another format, truncated or changed.
    """
    if not path.is_file():
        raise CheckpointError(f"no file {str(path)!r}")
    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            sealed = (opened.metadata() or {}).get(KEY)
            if sealed is None:
                raise CheckpointError(
                    f"{str(path)!r} is a safetensors file, but not one of charrnn's: "
                    f"it lacks the {KEY!r} metadata"
                )
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        header = json.loads(sealed)
        expected = header.pop("sha256")
    except OSError as error:
        raise CheckpointError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (safetensors.SafetensorError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{str(path)!r} {_what_is_wrong(path, error)}") from error
    if seal(header, tensors) != expected:
        raise CheckpointError(
            f"{str(path)!r} is damaged: its checksum does not agree with its content"
        )
    return header, tensors


def _what_is_wrong(path: Path, error: Exception) -> str:
    """Say it in one line; the first bytes of a pickle could also be those of a good file."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(_PICKLE_STARTS):
        return (
            "is a pickle (PyTorch's own format): opening one can run code, so charrnn never does; "
            "it reads the model.safetensors that `charrnn train` writes"
        )
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"is damaged or not a charrnn file: {reason}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
