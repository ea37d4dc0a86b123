"""A text's ids in a file that is mapped into memory, whatever its size.

    8 bytes      length of the header, little-endian
    header       canonical JSON, padded with spaces to a multiple of 64 bytes
    ids          little-endian, in the smallest unsigned type that holds them
    32 bytes     SHA-256 of the ids

The header holds the vocabulary, the number of ids, the text's SHA-256 and a checksum of itself, so
that it can be trusted without the ids. Ids are checked against the vocabulary when they are used.
docs/file-formats.md tells where such files are kept.
"""

import hashlib
import mmap
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from charrnn.corpus.symbols import ids_type
from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.errors import CorpusError, VocabularyError
from charrnn.files.atomic import replacing
from charrnn.files.formats import IDS
from charrnn.files.typed_json import (
    LONGEST_HEADER,
    LONGEST_REASON,
    canonical_json,
    make_record,
    parse_object,
)

_ALIGNMENT = 64


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A whole text as ids."""

    vocabulary: Vocabulary
    ids: Ids
    """(N,) every symbol of the text, in order; on the disk, read where it is looked at."""
    sha256: str
    """SHA-256 of the text as UTF-8, or of the bytes as they are."""


@dataclass(frozen=True)
class _Header:
    """The entries of the header, beside the checksum of these."""

    characters: str
    is_bytes: bool
    num_ids: int
    sha256: str


def write(
    path: Path, vocabulary: Vocabulary, num_ids: int, sha256: str, pieces: Iterable[Ids]
) -> None:
    """Replace `path` by a file of `num_ids` ids, which come in `pieces`.

    Raises OutputError if it cannot be written, CorpusError if the pieces hold more ids or fewer:
    the text has changed while it was read.
    """
    header = _Header(vocabulary.characters, vocabulary.is_bytes, num_ids, sha256)
    with replacing(path) as file:
        _write_header(file, {**IDS.header(), **asdict(header)})
        written = 0
        digest = hashlib.sha256()
        for piece in pieces:
            file.write(piece.data)
            digest.update(piece.data)
            written += len(piece)
        file.write(digest.digest())
        if written != num_ids:
            raise CorpusError("the text changed while it was read; try again")


def _write_header(file: IO[bytes], header: dict[str, Any]) -> None:
    text = _encoded({**header, "checksum": _checksum(header)})
    length = -(-(8 + len(text)) // _ALIGNMENT) * _ALIGNMENT - 8
    file.write(length.to_bytes(8, "little") + text.ljust(length))


def open_ids(path: Path, *, whole: bool = True) -> EncodedText:
    """Map the ids in `path` into memory, and read them once to see that they are as written.

    Without `whole`, only the header is looked at. Raises CorpusError if the file is missing,
    damaged, or not of the format or size that it says, NewerFormatError if a later charrnn wrote
    it.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            header, start = _read_header(path, file, size)
            vocabulary = Vocabulary(header.characters, is_bytes=header.is_bytes)
            dtype = ids_type(len(vocabulary)).newbyteorder("<")
            end = start + header.num_ids * dtype.itemsize
            if header.num_ids < 1 or size != end + hashlib.sha256().digest_size:
                raise ValueError(f"{size} bytes are too many or too few for {header.num_ids} ids")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            ids = np.frombuffer(mapped, dtype, header.num_ids, start)
            if whole and hashlib.sha256(ids.data).digest() != mapped[end:]:
                raise ValueError("its checksum does not agree with its content")
            return EncodedText(vocabulary, ids, header.sha256)
    except OSError as error:
        raise CorpusError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, VocabularyError) as error:
        reason = " ".join(str(error)[:LONGEST_REASON].split())
        raise CorpusError(f"{str(path)!r} is damaged or not a file of ids: {reason}") from error


def _read_header(path: Path, file: IO[bytes], size: int) -> tuple[_Header, int]:
    """(the header of a file of `size` bytes, where the ids start); raises ValueError or KeyError.

    The checksum comes first, so that a damaged version is not taken for a newer one.
    """
    length = int.from_bytes(file.read(8), "little")
    if length > min(LONGEST_HEADER, size - 8):
        raise ValueError("its header has no end")
    header = parse_object(file.read(length))
    checksum = header.pop("checksum")
    if checksum != _checksum(header):
        raise ValueError("its header's checksum does not agree")
    IDS.check(path, header)
    return make_record(_Header, header), 8 + length


def check_ids(ids: Ids, vocab_size: int) -> None:
    """Raise CorpusError if an id is not the vocabulary's: the file it came from is damaged."""
    if len(ids) and (largest := int(ids.max())) >= vocab_size:
        raise CorpusError(
            f"the text's ids are damaged: {largest} in a vocabulary of {vocab_size}; "
            "`charrnn corpus cache --clear` makes room for good ones"
        )


def _checksum(header: dict[str, Any]) -> str:
    return hashlib.sha256(_encoded(header)).hexdigest()


def _encoded(header: dict[str, Any]) -> bytes:
    return canonical_json(header).encode("utf-8", "surrogatepass")
