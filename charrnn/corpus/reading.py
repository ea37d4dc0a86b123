"""From sources to ids, out of core: one pass counts and hashes, the next one encodes.

At no time is more than a few chunks of the text in memory. What cannot be read twice (stdin, a
pipe) is put on the disk first, in a file without a name.
"""

import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, BinaryIO, cast

from charrnn.corpus.cache import VARIABLE, Cache, Remembered, default_cache, status_of
from charrnn.corpus.ids_file import EncodedText
from charrnn.corpus.progress import Meter, Report, silent
from charrnn.corpus.source import Listing, Source, TextFile, list_files
from charrnn.corpus.symbols import Encoder, SymbolCounts
from charrnn.corpus.text import is_wanted, read_text
from charrnn.corpus.text_config import TextConfig
from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.errors import CorpusError, OutputError

MTIME_STEP_NS = 100_000_000
"""Step of file systems' clocks in ns: a file that was changed less than this before it was read may
change again and keep its modification time."""
_SPOOL_CHUNK = 1 << 20  # bytes copied at a time
_SHOWN = 5  # names of files in a note


@dataclass(frozen=True, eq=False)
class Reading:
    """A text that has been read."""

    text: EncodedText
    """The text as ids."""
    notes: tuple[str, ...]
    """What the user should know: files that were passed over."""


def read_sources(
    sources: Sequence[Source],
    config: TextConfig,
    *,
    report: Report = silent,
    stdin: BinaryIO | None = None,
    cache: Cache | None = None,
) -> Reading:
    """The text of `sources`, one after another, as ids on the disk: the cache's, if it has them.

    Raises CorpusError for what cannot be read, is not text (naming the place), changes meanwhile or
    holds nothing, and OutputError where there is no room for the ids.
    """
    cache = cache or default_cache()
    with ExitStack() as spools:

        def spool(source: Source) -> TextFile:
            return _spooled(source, stdin, spools, cache, report)

        listing = list_files(sources, spool, config.include, config.exclude)
        status = status_of(listing.files, config) if _is_stable(listing) else None
        found = None if status is None else cache.find(status)
        if found is None:
            with cache.locked(report):
                found = None if status is None else cache.find(status)
                found = found or _encode(sources, listing, config, cache, status, report)
    return Reading(found.text, _notes(found.passed_over))


def _is_stable(listing: Listing) -> bool:
    """Whether the files' status tells when they change.

    That of a pipe does not, nor that of a file whose text the system makes up as it is read.
    """
    return not any(
        file.handle is not None or (file.size == 0 and file.wanted == "always")
        for file in listing.files
    )


def _encode(
    sources: Sequence[Source],
    listing: Listing,
    config: TextConfig,
    cache: Cache,
    status: str | None,
    report: Report,
) -> Remembered:
    started_ns = time.time_ns()
    files, passed_over = _wanted(listing, config, report)
    counts = SymbolCounts(exact=config.min_count > 1)
    sha256 = _hash_and_count(files, config, counts, _meter("reading", files, report))
    if counts.total == 0:
        raise CorpusError(_nothing_in(sources, passed_over))
    text = cache.open_content(sha256, config)
    if text is None:
        vocabulary = counts.vocabulary(is_bytes=config.as_bytes, min_count=config.min_count)
        pieces = _pieces(files, config, vocabulary, _meter("encoding", files, report))
        text = cache.store(config, vocabulary, counts.total, sha256, pieces)
    if not _are_unchanged(files):
        again = _hash_and_count(files, config, None, _meter("checking", files, report))
        if again != sha256:
            cache.content_path(sha256, config).unlink(missing_ok=True)
            raise CorpusError("the text changed while it was read; try again")
    elif status is not None and _latest_change(files) < started_ns - MTIME_STEP_NS:
        names = [str(source.path) for source in sources]
        cache.remember(status, cache.content_path(sha256, config), names, passed_over)
    return Remembered(text, tuple(passed_over))


def _meter(task: str, files: Sequence[TextFile], report: Report) -> Meter:
    return Meter(task, sum(file.size for file in files), report)


def _wanted(
    listing: Listing, config: TextConfig, report: Report
) -> tuple[list[TextFile], list[str]]:
    """(the files to read, the names of those passed over that the user should know of)."""
    to_look_at = [file for file in listing.files if file.wanted != "always"]
    meter = _meter("looking for text", to_look_at, report)
    files, passed_over = [], list(listing.passed_over)
    for file in listing.files:
        if is_wanted(file, config, meter):
            files.append(file)
        elif file.wanted == "if text":
            passed_over.append(file.name)
    return files, passed_over


def _hash_and_count(
    files: Sequence[TextFile], config: TextConfig, counts: SymbolCounts | None, meter: Meter
) -> str:
    digest = hashlib.sha256()
    for chunk in read_text(files, config, meter):
        digest.update(chunk.data)
        if counts is not None:
            counts.add(chunk)
    meter.finish()
    return digest.hexdigest()


def _pieces(
    files: Sequence[TextFile], config: TextConfig, vocabulary: Vocabulary, meter: Meter
) -> Iterator[Ids]:
    encoder = Encoder(vocabulary)
    for chunk in read_text(files, config, meter):
        yield encoder.encode(chunk)
    meter.finish()


def _are_unchanged(files: Sequence[TextFile]) -> bool:
    for file in files:
        if file.handle is None:
            try:
                now = file.path.stat()
            except OSError:
                return False
            if (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) != file.status:
                return False
    return True


def _latest_change(files: Sequence[TextFile]) -> int:
    return max(file.status[3] for file in files)


def _spooled(
    source: Source, stdin: BinaryIO | None, spools: ExitStack, cache: Cache, report: Report
) -> TextFile:
    """Copy a source that can be read only once into a file, which vanishes when `spools` ends.

    Raises CorpusError if the source cannot be read, OutputError if there is no room.
    """
    name = "stdin" if source.kind == "stdin" else str(source.path)
    if source.kind == "stdin" and stdin is None and sys.stdin is None:
        raise CorpusError("stdin is closed: there is nothing to read")
    meter = Meter(f"taking in {name}", None, report)
    size = 0
    try:
        cache.folder.mkdir(parents=True, exist_ok=True)
        spool = spools.enter_context(TemporaryFile(dir=cache.folder))  # noqa: SIM115
        for data in _read_once(source, name, stdin):
            size += spool.write(data)
            meter.advance(len(data))
        spool.flush()
    except OSError as error:
        raise OutputError(
            f"cannot put {name} into {str(cache.folder)!r}: {error.strerror or error}; "
            f"${VARIABLE} puts the cache elsewhere"
        ) from error
    meter.finish()
    return TextFile(source.path, name, (0, 0, size, 0), handle=cast(BinaryIO, spool))


def _read_once(source: Source, name: str, stdin: BinaryIO | None) -> Iterator[bytes]:
    try:
        with ExitStack() as opened:
            if source.kind == "stdin":
                stream: IO[bytes] = stdin or sys.stdin.buffer
            else:
                stream = opened.enter_context(source.path.open("rb"))
            while data := stream.read(_SPOOL_CHUNK):
                yield data
    except OSError as error:
        raise CorpusError(f"cannot read {name}: {error.strerror or error}") from error


def _nothing_in(sources: Sequence[Source], passed_over: Sequence[str]) -> str:
    names = ", ".join(str(source.path) for source in sources)
    if any(source.kind == "folder" for source in sources) and passed_over:
        return f"no text in the folder {names!r}: {_notes(passed_over)[0]}"
    return f"no text in {names}: it is empty"


def _notes(passed_over: Sequence[str]) -> tuple[str, ...]:
    if not passed_over:
        return ()
    shown = ", ".join(passed_over[:_SHOWN])
    more = f" and {len(passed_over) - _SHOWN} more" if len(passed_over) > _SHOWN else ""
    files = "1 file that is" if len(passed_over) == 1 else f"{len(passed_over)} files that are"
    return (f"passed over {files} not text: {shown}{more}",)
