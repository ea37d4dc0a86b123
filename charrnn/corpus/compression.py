"""Files as streams of bytes: plain ones as they are, .gz, .xz and .zst decompressed."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from charrnn.errors import CorpusError
from charrnn.extras import how_to_install

COMPRESSED = {".gz": "gzip", ".xz": "xz", ".zst": "zstd"}
"""Kinds of compression by the end of a file's name."""


def compression(name: str) -> str | None:
    """How the file called `name` is compressed, by the end of its name; None: it is not."""
    return COMPRESSED.get(PurePath(name).suffix)


@contextmanager
def decompressed(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """The bytes that `file`, called `name`, holds; as they are if it is not compressed.

    Raises CorpusError, also later, while they are read, if the compressed file is damaged.
    """
    kind = compression(name)
    if kind is None:
        yield file
        return
    stream: Any
    damage: tuple[type[Exception], ...]
    if kind == "gzip":
        import gzip
        import zlib

        stream, damage = gzip.GzipFile(fileobj=file), (gzip.BadGzipFile, zlib.error)
    elif kind == "xz":
        import lzma

        stream, damage = lzma.LZMAFile(file), (lzma.LZMAError,)  # noqa: SIM115
    else:
        zstd = zstd_module(name)
        stream, damage = zstd.ZstdFile(file), (zstd.ZstdError,)
    try:
        with stream:
            yield cast(BinaryIO, stream)
    except (EOFError, *damage) as error:
        raise CorpusError(f"{name!r} is not a whole {kind} file: {error}") from error


def zstd_module(name: str) -> Any:
    """Python's module for .zst files, or before Python 3.14 its backport.

    Raises CorpusError if the backport, which the file called `name` needs, is not installed.
    """
    module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CorpusError(
            f"{name!r}: reading .zst needs one more package: {how_to_install('backports.zstd')}; "
            "or decompress it first: zstd -d"
        ) from error
