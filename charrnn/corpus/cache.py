"""The cache of encoded texts, so that a text that has not changed need not be read again.

    $XDG_CACHE_HOME/charrnn/texts (or ~/.cache/charrnn/texts)
      CONTENT.ids     the ids of one text; CONTENT is a hash of it and of what its ids depend on
      STATUS.json     which of them a list of files gave; STATUS is a hash of the files' devices,
                      inodes, sizes and modification times, and of how they were read
      lock            held while a text is being encoded

Files that have another status than before are read once more; if they still hold the same text, its
ids are there. Every file is replaced whole (files/atomic.py); what a crash leaves half-written, the
next one to hold the lock removes.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from charrnn.corpus import ids_file
from charrnn.corpus.compression import compression
from charrnn.corpus.ids_file import EncodedText
from charrnn.corpus.progress import Note, Report
from charrnn.corpus.source import TextFile
from charrnn.corpus.text_config import TextConfig
from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.errors import CorpusError, NewerFormatError, OutputError
from charrnn.files.atomic import remove_leftovers, write_atomically
from charrnn.files.formats import IDS
from charrnn.files.lock import held
from charrnn.files.typed_json import make_record, parse_object

VARIABLE = "XDG_CACHE_HOME"
"""The environment variable that names the folder of all programs' caches."""
_ENTRY = re.compile(r"[0-9a-f]{32}\.ids")


@dataclass(frozen=True)
class _StatusRecord:
    """What a status file holds."""

    entry: str
    """Name of the file of ids that the files gave."""
    names: tuple[str, ...]
    """What the sources of the text were called."""
    passed_over: tuple[str, ...]
    """Names of files in folders that were no text."""


@dataclass(frozen=True, eq=False)
class Remembered:
    """What reading some files gave the last time."""

    text: EncodedText
    """The text as ids."""
    passed_over: tuple[str, ...]
    """Names of files in folders that were no text."""


@dataclass(frozen=True)
class CacheEntry:
    """One text in the cache."""

    path: Path
    """The file of ids."""
    names: tuple[str, ...]
    """Names of the files that the text came from."""
    num_ids: int
    """Characters of the text; 0 if the file of ids is damaged, or of a later charrnn."""
    vocab_size: int
    """Distinct characters of the text."""
    size: int
    """Size of the file of ids in bytes."""


class Cache:
    """The cache of encoded texts in one folder, which may not be there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def content_path(self, sha256: str, config: TextConfig) -> Path:
        """Where the ids of the text with this hash are, or would be."""
        key = _hash([IDS.current, sha256, config.as_bytes, config.min_count])
        return self.folder / f"{key}.ids"

    def open_content(self, sha256: str, config: TextConfig) -> EncodedText | None:
        """The ids of the text with this hash; None if they are not kept, or not whole."""
        with suppress(CorpusError, NewerFormatError):
            text = ids_file.open_ids(self.content_path(sha256, config))
            if text.sha256 == sha256:
                return text
        return None

    def store(
        self,
        config: TextConfig,
        vocabulary: Vocabulary,
        num_ids: int,
        sha256: str,
        pieces: Iterable[Ids],
    ) -> EncodedText:
        """Keep the ids of a text and open them. Raises OutputError if there is no room."""
        path = self.content_path(sha256, config)
        try:
            ids_file.write(path, vocabulary, num_ids, sha256, pieces)
        except OutputError as error:
            raise OutputError(
                f"cannot keep the text's ids: {error}; ${VARIABLE} puts the cache elsewhere"
            ) from error
        return ids_file.open_ids(path)

    def find(self, status: str) -> Remembered | None:
        """What files of this status gave the last time; None if that is not kept, or not whole."""
        try:
            record = _read_record(self._status_path(status))
            if _ENTRY.fullmatch(record.entry) is None:
                return None
            text = ids_file.open_ids(self.folder / record.entry)
        except (OSError, ValueError, CorpusError, NewerFormatError):
            return None
        return Remembered(text, record.passed_over)

    def remember(
        self, status: str, entry: Path, names: Sequence[str], passed_over: Sequence[str]
    ) -> None:
        """Keep what files of this status gave. Without room for it, nothing is lost but time."""
        record = _StatusRecord(entry.name, tuple(names), tuple(passed_over))
        with suppress(OutputError):
            write_atomically(self._status_path(status), json.dumps(asdict(record)).encode())

    @contextmanager
    def locked(self, report: Report) -> Iterator[None]:
        """Hold the lock, so that of two processes with the same text one encodes it.

        Raises OutputError if the cache's folder cannot be used.
        """
        waiting = Note("waiting for another charrnn that is encoding a text")
        with ExitStack() as stack:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                if stack.enter_context(held(self.folder / "lock", lambda: report(waiting))):
                    remove_leftovers(self.folder)
            except OSError as error:
                raise OutputError(
                    f"cannot use the cache folder {str(self.folder)!r}: "
                    f"{error.strerror or error}; ${VARIABLE} puts it elsewhere"
                ) from error
            yield

    def entries(self) -> list[CacheEntry]:
        """Every text in the cache, the newest first."""
        names: dict[str, set[str]] = {}
        for path in self.folder.glob("*.json"):
            with suppress(OSError, ValueError):
                record = _read_record(path)
                names.setdefault(record.entry, set()).update(record.names)
        paths = sorted(
            self.folder.glob("*.ids"), key=lambda path: path.stat().st_mtime_ns, reverse=True
        )
        return [_entry(path, tuple(sorted(names.get(path.name, ())))) for path in paths]

    def clear(self, report: Report) -> int:
        """Remove every text from the cache; return how many bytes that was."""
        freed = 0
        if self.folder.is_dir():
            with self.locked(report):
                for path in [*self.folder.glob("*.ids"), *self.folder.glob("*.json")]:
                    freed += path.stat().st_size
                    path.unlink(missing_ok=True)
        return freed

    def _status_path(self, status: str) -> Path:
        return self.folder / f"{status}.json"


def default_cache() -> Cache:
    """The user's own cache. Raises CorpusError if no folder for it is known."""
    base = os.environ.get(VARIABLE, "")
    try:
        root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        raise CorpusError(f"no home folder for the cache; ${VARIABLE} names a folder") from error
    return Cache(root / "charrnn" / "texts")


def status_of(files: Sequence[TextFile], config: TextConfig) -> str:
    """A hash of everything that tells, without reading, that files are as they were before."""
    states = [(file.status, file.wanted, compression(file.name)) for file in files]
    return _hash([IDS.current, asdict(config), states])


def _read_record(path: Path) -> _StatusRecord:
    """What a status file holds; raises OSError or ValueError."""
    return make_record(_StatusRecord, parse_object(path.read_bytes()))


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _entry(path: Path, names: tuple[str, ...]) -> CacheEntry:
    size = path.stat().st_size
    try:
        text = ids_file.open_ids(path, whole=False)
    except (CorpusError, NewerFormatError):
        return CacheEntry(path, names, 0, 0, size)
    return CacheEntry(path, names, len(text.ids), len(text.vocabulary), size)
