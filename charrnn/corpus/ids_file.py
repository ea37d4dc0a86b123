"""A text's ids in a file that is mapped into memory, whatever its size.

    8 bytes      length of the header, little-endian
    header       canonical JSON, padded with spaces to a multiple of 64 bytes
    ids          little-endian, in the smallest unsigned type that holds them
    32 bytes     SHA-256 of the ids

The header holds the vocabulary, the number of ids, the text's SHA-256 and a checksum of itself, so
that it can be looked at alone. Ids are checked against the vocabulary when they are used.
"""

import hashlib
import json
import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from charrnn.corpus.symbols import ids_type
from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.errors import CorpusError, VocabularyError
from charrnn.files.typed_json import LONGEST_HEADER, LONGEST_REASON, canonical_json, typed

FORMAT = "charrnn-ids"
FORMAT_VERSION = 2
UNFINISHED = ".part"
_ALIGNMENT = 64


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A whole text as ids."""

    vocabulary: Vocabulary
    ids: Ids
    """(N,) every symbol of the text, in order; on the disk, read where it is looked at."""
    sha256: str
    """Of the text as UTF-8, or of the bytes as they are."""


def write(
    path: Path, vocabulary: Vocabulary, num_ids: int, sha256: str, pieces: Iterable[Ids]
) -> None:
    """Write `num_ids` ids beside `path`, flush them to the disk, and rename into place.

    Raises OSError if there is no room, CorpusError if the pieces hold more ids or fewer: the text
    has changed while it was read.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}{UNFINISHED}")
    try:
        with beside.open("wb") as file:
            _write(file, vocabulary, num_ids, sha256, pieces)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _write(
    file: BinaryIO, vocabulary: Vocabulary, num_ids: int, sha256: str, pieces: Iterable[Ids]
) -> None:
    header: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "characters": vocabulary.characters,
        "is_bytes": vocabulary.is_bytes,
        "num_ids": num_ids,
        "sha256": sha256,
    }
    text = canonical_json({**header, "checksum": _checksum(header)}).encode(
        "utf-8", "surrogatepass"
    )
    length = -(-(8 + len(text)) // _ALIGNMENT) * _ALIGNMENT - 8
    file.write(length.to_bytes(8, "little") + text.ljust(length))
    written = 0
    digest = hashlib.sha256()
    for piece in pieces:
        file.write(piece.data)
        digest.update(piece.data)
        written += len(piece)
    file.write(digest.digest())
    if written != num_ids:
        raise CorpusError("the text changed while it was read; try again")
    file.flush()
    os.fsync(file.fileno())


def open_ids(path: Path, *, whole: bool = True) -> EncodedText:
    """Map the ids in `path` into memory, and read them once to see that they are as written.

    Without `whole`, only the header is looked at. Raises CorpusError if the file is missing,
    damaged, or not of the format or size that it says.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if length > min(LONGEST_HEADER, size - 8):
                raise ValueError("its header has no end")
            header = json.loads(file.read(length))
            if type(header) is not dict:
                raise ValueError("its header is not a JSON object")
            checksum = header.pop("checksum")
            if checksum != _checksum(header):
                raise ValueError("its header's checksum does not agree")
            if (header["format"], header["format_version"]) != (FORMAT, FORMAT_VERSION):
                raise ValueError(f"format {header['format']!r} {header['format_version']!r}")
            is_bytes = typed("is_bytes", header["is_bytes"], bool)
            characters = typed("characters", header["characters"], str)
            vocabulary = Vocabulary(characters, is_bytes=is_bytes)
            dtype = ids_type(len(vocabulary)).newbyteorder("<")
            start, count = 8 + length, typed("num_ids", header["num_ids"], int)
            end = start + count * dtype.itemsize
            if count < 1 or size != end + hashlib.sha256().digest_size:
                raise ValueError(f"{size} bytes are too many or too few for {count} ids")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            ids = np.frombuffer(mapped, dtype, count, start)
            if whole and hashlib.sha256(ids.data).digest() != mapped[end:]:
                raise ValueError("its checksum does not agree with its content")
            return EncodedText(vocabulary, ids, typed("sha256", header["sha256"], str))
    except OSError as error:
        raise CorpusError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError, VocabularyError) as error:
        reason = " ".join(str(error)[:LONGEST_REASON].split())
        raise CorpusError(f"{str(path)!r} is damaged or not a file of ids: {reason}") from error


def check_ids(ids: Ids, vocab_size: int) -> None:
    """Raise CorpusError if an id is not the vocabulary's: the file it came from is damaged."""
    if len(ids) and (largest := int(ids.max())) >= vocab_size:
        raise CorpusError(
            f"the text's ids are damaged: {largest} in a vocabulary of {vocab_size}; "
            "`charrnn corpus cache --clear` makes room for good ones"
        )


def _checksum(header: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(header).encode("utf-8", "surrogatepass")).hexdigest()
