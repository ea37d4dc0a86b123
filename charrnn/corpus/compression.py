"""Files as streams of bytes: plain ones as they are, .gz, .xz and .zst decompressed."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from charrnn.errors import CorpusError

COMPRESSED = {".gz": "gzip", ".xz": "xz", ".zst": "zstd"}


def compression(name: str) -> str | None:
    """How a file is compressed, by the end of its name; None if it is not."""
    return COMPRESSED.get(PurePath(name).suffix)


@contextmanager
def decompressed(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """The bytes within `file`. Raises CorpusError if they are damaged, also while being read."""
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
    """The standard library's module, from Python 3.14 on, or its backport."""
    module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CorpusError(
            f"{name!r}: reading .zst needs one more package: pip install 'charrnn[zst]', "
            "or decompress it first: zstd -d"
        ) from error
