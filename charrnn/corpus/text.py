"""Files as one text, in chunks: decoded, checked, and otherwise left as they are.

A byte order mark at the start of a file is dropped, because it says how to read the text and is no
part of it; a file that lacks a last newline gets one where another file follows. Line ends of any
kind, NUL and everything else stay. With `as_bytes` the bytes are taken exactly as they are.
"""

import codecs
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from charrnn.corpus.compression import compression, decompressed
from charrnn.corpus.progress import Meter, silent
from charrnn.corpus.source import TextFile
from charrnn.corpus.text_config import TextConfig
from charrnn.errors import CorpusError

CHUNK = 1 << 18
"""Bytes read at a time: few enough to stay in a core's cache while they are worked on."""
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""The character that a file may begin with to tell its encoding; it is no part of the text."""
_BINARY_LOOK = 8192  # bytes at a file's start; a NUL among them means that it is no text


class Chunk(NamedTuple):
    """A piece of text that begins and ends between two characters."""

    data: bytes
    """The piece as UTF-8; in byte mode the bytes themselves."""
    text: str | None
    """The piece as characters; None where these are `data` byte for byte (ASCII, byte mode)."""


class NotTextError(CorpusError):
    """A file does not hold text in the encoding that was asked for."""


def read_text(files: Sequence[TextFile], config: TextConfig, meter: Meter) -> Iterator[Chunk]:
    """The text of `files`, one after another.

    Raises NotTextError naming file, offset and line of a byte that does not fit the encoding, and
    CorpusError for what cannot be read or has become shorter.
    """
    last = b"\n"
    for file in files:
        at_start = True
        for chunk in read_file(file, config, meter):
            if at_start and not last.endswith(b"\n") and not config.as_bytes:
                yield Chunk(b"\n", None)
            at_start = False
            yield chunk
            last = chunk.data


def read_file(file: TextFile, config: TextConfig, meter: Meter) -> Iterator[Chunk]:
    """The text of one file."""
    blocks = _blocks(file, meter)
    if config.as_bytes:
        return (Chunk(data, None) for data in blocks)
    chunks = _decoded(file, config.encoding, blocks)
    return chunks if config.normalize is None else _composed(file, chunks)


def is_wanted(file: TextFile, config: TextConfig, meter: Meter) -> bool:
    """Whether a file should be read: because it was named, or because it is text.

    Text has no NUL near its start and no byte that does not fit the encoding.
    """
    if file.wanted == "always" or config.as_bytes:
        return True
    try:
        for index, chunk in enumerate(read_file(file, config, meter)):
            if index == 0 and b"\0" in chunk.data[:_BINARY_LOOK]:
                return False
            if file.wanted == "if ascii" and chunk.text is not None:
                return False
    except NotTextError:
        return False
    return True


@contextmanager
def _opened(file: TextFile) -> Iterator[BinaryIO]:
    if file.handle is not None:
        file.handle.seek(0)
        yield file.handle
        return
    with file.path.open("rb", buffering=0) as raw:
        yield raw


def _blocks(file: TextFile, meter: Meter) -> Iterator[bytes]:
    """The bytes of a file, decompressed, up to where it ended when it was found.

    So a log that is being written to can be read. Raises CorpusError if the file cannot be read or
    has become shorter.
    """
    plain = compression(file.name) is None
    left = file.size if plain and file.size else None
    try:
        with _opened(file) as raw, decompressed(raw, file.name) as stream:
            place = 0
            while left is None or left > 0:
                data = stream.read(CHUNK if left is None else min(CHUNK, left))
                if not data:
                    break
                if left is not None:
                    left -= len(data)
                meter.advance(raw.tell() - place)
                place = raw.tell()
                yield data
    except OSError as error:
        raise CorpusError(f"cannot read {file.name!r}: {error.strerror or error}") from error
    if left:
        raise CorpusError(f"{file.name!r} became shorter while it was read")


def _decoded(file: TextFile, encoding: str, blocks: Iterator[bytes]) -> Iterator[Chunk]:
    decoder = codecs.getincrementaldecoder(encoding)()
    is_utf8 = encoding == "utf-8"
    pending = b""  # the start of a character whose end is in the next block
    at_start = True
    offset = 0
    for block in _with_end(blocks):
        offset += len(block)
        if is_utf8 and block and not pending and block.isascii():
            at_start = False
            yield Chunk(block, None)
            continue
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeError as error:
            raise _not_text(file, encoding, offset, error) from error
        data = b""
        if is_utf8:
            read, pending = pending + block, decoder.getstate()[0]
            data = read[: len(read) - len(pending)]
        if at_start and text:
            at_start = False
            if text.startswith(BYTE_ORDER_MARK):
                text, data = text[1:], data[3:]
        if text:
            yield Chunk(data, text) if is_utf8 else _chunk(file, text)


def _with_end(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """`blocks`, and an empty one that tells the decoder to finish."""
    yield from blocks
    yield b""


def _chunk(file: TextFile, text: str) -> Chunk:
    try:
        return Chunk(text.encode(), None if text.isascii() else text)
    except UnicodeEncodeError as error:
        raise NotTextError(
            f"{file.name} holds half a character, {text[error.start]!r}: `as_bytes` learns from "
            "any bytes"
        ) from error


def _not_text(file: TextFile, encoding: str, end: int, error: UnicodeError) -> NotTextError:
    """The error that names the place of the bad byte; the decoder had been given `end` bytes."""
    shown = "UTF-8" if encoding == "utf-8" else encoding
    if not isinstance(error, UnicodeDecodeError):
        return NotTextError(
            f"{file.name} is not {shown}: {error}; `as_bytes` learns from any bytes"
        )
    offset = end - len(error.object) + error.start
    return NotTextError(
        f"{file.name} is not {shown}: byte 0x{error.object[error.start]:02x} at offset {offset} "
        f"(line {_line_of(file, encoding, offset)}); `as_bytes` learns from any bytes, "
        "`encoding` reads another encoding"
    )


def _line_of(file: TextFile, encoding: str, offset: int) -> int:
    """The number of the line that holds the byte at `offset`; all before it can be decoded."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    for block in _blocks(file, Meter("", None, silent)):
        line += decoder.decode(block[:offset]).count("\n")
        offset -= len(block)
        if offset <= 0:
            break
    return line


def _composed(file: TextFile, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The text in NFC; what the next chunk might still compose with is held back until then."""
    held = ""
    for data, text in chunks:
        read = held + (data.decode() if text is None else text)
        cut = len(read) - 1
        while cut > 0 and not _stands_alone(read[cut]):
            cut -= 1
        held = read[cut:]
        if cut:
            yield _chunk(file, unicodedata.normalize("NFC", read[:cut]))
    if held:
        yield _chunk(file, unicodedata.normalize("NFC", held))


def _stands_alone(character: str) -> bool:
    """True only if NFC composes nothing before `character` with it.

    So it is below U+0300, where there are no combining characters yet, and for the starters among
    the symbols, the ideographs and the composed syllables of Hangul.
    """
    return character < "\u0300" or (
        ("\u2000" <= character <= "\ua66e" or "\uac00" <= character <= "\ud7a3")
        and unicodedata.combining(character) == 0
    )
