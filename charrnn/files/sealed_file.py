"""Files that are safe to open and never half-written: safetensors with a sealed JSON header.

The file is ordinary safetensors. Its single metadata key, `charrnn`, holds canonical JSON (sorted
keys, no spaces, UTF-8), in which `sha256` is taken over the rest of the JSON and over every
tensor's name, type, shape and bytes. Reading executes nothing: no pickle anywhere.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save

from charrnn.errors import CheckpointError
from charrnn.files.atomic import write_atomically
from charrnn.files.typed_json import LONGEST_HEADER, LONGEST_REASON, canonical_json, parse_object

Tensors = Mapping[str, NDArray[Any]]
Header = Mapping[str, Any]
Layout = dict[str, tuple[str, tuple[int, ...]]]
"""Each tensor's name -> (numpy's spelling of its type, shape)."""

KEY = "charrnn"
"""The metadata key of safetensors whose value is the header."""
NUMPY_TYPES = {"F32": "<f4", "I32": "<i4", "I64": "<i8", "U8": "|u1", "U16": "<u2"}
"""The tensor types that charrnn writes, by safetensors' names; others keep their own."""
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def seal(header: Header, tensors: Tensors) -> str:
    """SHA-256, in hex, of the header and of every tensor in the order of their names."""
    digest = hashlib.sha256(canonical_json(header).encode())
    for name in sorted(tensors):
        tensor = np.asarray(tensors[name], order="C")
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def write(path: Path, header: Header, tensors: Tensors) -> None:
    """Replace `path` by a sealed file of `header` and `tensors`. Raises OutputError."""
    sealed = canonical_json({**header, "sha256": seal(header, tensors)})
    contiguous = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    write_atomically(path, save(contiguous, metadata={KEY: sealed}))


class SealedFile:
    """A sealed file that is open: what its header says can be judged before a tensor is read."""

    header: dict[str, Any]
    """The entries of the header as they were written, without the checksum."""
    layout: Layout
    """Every tensor's type and shape; together they fill the file exactly."""

    def __init__(self, path: Path) -> None:
        """Raise CheckpointError if it is missing, of another format, or its header is damaged."""
        self._path = path
        if not path.is_file():
            raise CheckpointError(f"no file {str(path)!r}")
        with self._errors():
            with path.open("rb") as file:
                if int.from_bytes(file.read(8), "little") > LONGEST_HEADER:
                    raise ValueError(
                        "it does not begin as one; if it is a text, `charrnn train` makes a model "
                        "of it"
                    )
            opened: Any = safetensors.safe_open(path, framework="numpy")
            self._file = opened
            sealed = (self._file.metadata() or {}).get(KEY)
            if sealed is None:
                raise CheckpointError(
                    f"{str(path)!r} is a safetensors file, but not one of charrnn's: "
                    f"it lacks the {KEY!r} metadata"
                )
            self.header = parse_object(sealed)
            self._expected = self.header.pop("sha256")
            self.layout = {name: self._type_and_shape(name) for name in self._file.keys()}  # noqa: SIM118

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Read every tensor; raise CheckpointError unless the checksum agrees."""
        with self._errors():
            tensors = {name: self._file.get_tensor(name) for name in self.layout}
            agrees = seal(self.header, tensors) == self._expected
        if not agrees:
            raise CheckpointError(
                f"{str(self._path)!r} is damaged: its checksum does not agree with its content"
            )
        return tensors

    def _type_and_shape(self, name: str) -> tuple[str, tuple[int, ...]]:
        part = self._file.get_slice(name)
        dtype = part.get_dtype()
        return NUMPY_TYPES.get(dtype, dtype), tuple(part.get_shape())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever goes wrong with the file is a CheckpointError of one line."""
        try:
            yield
        except OSError as error:
            message = f"cannot read {str(self._path)!r}: {error.strerror or error}"
            raise CheckpointError(message) from error
        except (
            safetensors.SafetensorError,
            ValueError,
            KeyError,
            AttributeError,
            TypeError,
        ) as error:
            message = f"{str(self._path)!r} {_what_is_wrong(self._path, error)}"
            raise CheckpointError(message) from error


def read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """(header, tensors) of a sealed file whose checksum agrees.

    Raises CheckpointError for a file that is missing, of another format, truncated or changed.
    """
    opened = SealedFile(path)
    return opened.header, opened.tensors()


def _what_is_wrong(path: Path, error: Exception) -> str:
    """What is wrong with a file that cannot be read, in one line.

    Only such a file is looked at for the start of a pickle: a good file could begin like one.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(_PICKLE_STARTS):
        return (
            "is a pickle (PyTorch's own format): opening one can run code, so charrnn never does; "
            "it reads the model.safetensors that `charrnn train` writes"
        )
    reason = " ".join(str(error)[:LONGEST_REASON].split()) or type(error).__name__
    return f"is damaged or not a charrnn file: {reason}"
