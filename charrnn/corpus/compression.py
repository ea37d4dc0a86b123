"""Files as streams of bytes: plain ones as they are, .gz, .xz and .zst decompressed."""

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
        zstandard = _zstandard(name)
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        damage = (zstandard.ZstdError,)
    try:
        with stream:
            yield cast(BinaryIO, stream)
    except (EOFError, *damage) as error:
        raise CorpusError(f"{name!r} is not a whole {kind} file: {error}") from error


def _zstandard(name: str) -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise CorpusError(
            f"{name!r}: reading .zst needs one more package: pip install 'charrnn[zst]', "
            "or decompress it first: zstd -d"
        ) from error
    return zstandard
