"""Corpora from the network: resumed, verified, and never there by half.

A file grows as .NAME.part beside its place. Other files of charrnn are begun anew after a failure
(files/atomic.py); this one stays and grows on, because what has come already need not be fetched
again. Only when its size and its SHA-256 are those of the catalogue is it renamed into place; and
several files of one corpus only together.
"""

import hashlib
import os
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast

from charrnn.corpus.cache import default_cache
from charrnn.corpus.catalogue import CatalogueEntry, CorpusFile
from charrnn.corpus.progress import Meter, Note, Report
from charrnn.errors import CorpusError
from charrnn.files.atomic import UNFINISHED, output_errors
from charrnn.files.lock import held

MIRROR_VARIABLE = "CHARRNN_CORPUS_MIRROR"
"""The environment variable with the address of a server that has the corpora, too."""
TIMEOUT_S = 30.0
"""A server that sends nothing for this long has stalled."""
ATTEMPTS = 4
"""Connections to try in one command; each goes on where the last one ended."""
_CHUNK = 1 << 16
_PART = 206  # HTTP: Partial Content
_NOTHING_THERE = 416  # HTTP: Range Not Satisfiable


class _Interrupted(Exception):  # noqa: N818
    """The connection ended before the file did; what has come is kept."""


def place_of(entry: CatalogueEntry, folder: Path) -> Path:
    """The file of a corpus's one text, or the folder of its texts, below `folder`."""
    return folder / (entry.files[0].name if len(entry.files) == 1 else entry.name)


def download(entry: CatalogueEntry, folder: Path, report: Report) -> Path:
    """Fetch a corpus into `folder`, unless it is there, and return its place.

    Raises CorpusError if it cannot be had whole; what has come so far is kept for the next time.
    Raises OutputError if it cannot be written.
    """
    place = place_of(entry, folder)
    if place.exists():
        return place
    waiting = Note("waiting for another charrnn that is fetching a corpus")
    with output_errors(place), held(_lock_path(), lambda: report(waiting)):
        if not place.exists():
            _fetch_all(entry, place, report)
    return place


def _fetch_all(entry: CatalogueEntry, place: Path, report: Report) -> None:
    """Fetch the one text, or all texts into a hidden folder that is then renamed to `place`."""
    if len(entry.files) == 1:
        _announce_and_fetch(entry, entry.files[0], place, place.name, report)
        return
    building = place.with_name(f".{place.name}{UNFINISHED}")
    for file in entry.files:
        path = building / file.name
        if not path.exists():
            _announce_and_fetch(entry, file, path, f"{entry.name}/{file.name}", report)
    building.rename(place)


def _announce_and_fetch(
    entry: CatalogueEntry, file: CorpusFile, path: Path, mirrored: str, report: Report
) -> None:
    """Fetch a text to `path`; `mirrored` is what a mirror calls it."""
    address = _address(file, mirrored)
    size = f"{file.download_size / 1e6:,.1f} MB"
    report(Note(f"fetching {entry.name} ({size}, {entry.licence}) from {address} into {path}"))
    _fetch(file, address, path, report)


def _lock_path() -> Path:
    folder = default_cache().folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "fetching"


def _address(file: CorpusFile, mirrored: str) -> str:
    """The address to fetch from: the catalogue's, or that below the mirror, if there is one.

    A mirror calls a text `mirrored`, and a zip file as the catalogue's address does. Raises
    CorpusError if the mirror's address is none.
    """
    mirror = os.environ.get(MIRROR_VARIABLE)
    if not mirror:
        return file.url
    if not mirror.startswith(("http://", "https://")):
        raise CorpusError(f"${MIRROR_VARIABLE} is {mirror!r}: it must be an http(s) address")
    name = mirrored if file.archive_sha256 is None else file.url.rsplit("/", 1)[1]
    return f"{mirror.rstrip('/')}/{name}"


def _fetch(file: CorpusFile, address: str, path: Path, report: Report) -> None:
    part = path.with_name(f".{path.name}{UNFINISHED}")
    if file.archive_sha256 is None:
        _transfer(address, part, file.size, report)
        _verify(part, file.size, file.sha256, address, report)
        part.replace(path)
        return
    archive = path.with_name(f".{path.name}.zip{UNFINISHED}")
    _transfer(address, archive, file.download_size, report)
    _verify(archive, file.download_size, file.archive_sha256, address, report)
    try:
        _extract(archive, part, file.size, address, report)
        _verify(part, file.size, file.sha256, address, report)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    archive.unlink()


def _transfer(address: str, part: Path, size: int, report: Report) -> None:
    """Bring `part` to its full size, over several connections if need be."""
    reason = ""
    for _ in range(ATTEMPTS):
        before = part.stat().st_size if part.exists() else 0
        if before == size:
            return
        try:
            _one_connection(address, part, size, report)
        except _Interrupted as error:
            reason = str(error)
            if part.exists() and part.stat().st_size > before:
                continue
            break
    have = part.stat().st_size if part.exists() else 0
    if have == size:
        return
    kept = f"; {have:,} of {size:,} bytes are kept, and the same command goes on" if have else ""
    raise CorpusError(
        f"cannot fetch {address}: {reason}{kept}; without a network, bring the file another way "
        f"and name it, or set ${MIRROR_VARIABLE} to a server that has it"
    )


def _one_connection(address: str, part: Path, size: int, report: Report) -> None:
    before = part.stat().st_size if part.exists() else 0
    if before > size:
        part.unlink()
        before = 0
    response, before = _open(address, before)
    with response:
        meter = Meter(f"fetching {part.name[1:].removesuffix(UNFINISHED)}", size, report, before)
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab" if before else "wb") as file:
            for data in _received(response):
                before += len(data)
                if before > size:
                    break
                file.write(data)
                meter.advance(len(data))
        meter.finish()
    if before > size:
        part.unlink()
        raise CorpusError(
            f"{address} holds more than the {size:,} bytes it should; nothing is kept"
        )
    if before < size:
        raise _Interrupted(f"it ended after {before:,} of {size:,} bytes")


def _open(address: str, offset: int) -> tuple[HTTPResponse, int]:
    """Ask for the bytes from `offset` on; return the response and the offset where it begins."""
    request = urllib.request.Request(address, headers={"Accept-Encoding": "identity"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    with _interruptions():
        try:
            response = cast(HTTPResponse, urllib.request.urlopen(request, timeout=TIMEOUT_S))
        except urllib.error.HTTPError as error:
            if error.code != _NOTHING_THERE or not offset:
                raise
            error.close()
            return _open(address, 0)
    if response.status != _PART:
        return response, 0
    if response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
        return response, offset
    response.close()
    if not offset:
        raise _Interrupted("the server sends a part that nobody asked for")
    return _open(address, 0)


def _received(response: HTTPResponse) -> Iterator[bytes]:
    with _interruptions():
        yield from _blocks(lambda: response.read1(_CHUNK))


@contextmanager
def _interruptions() -> Iterator[None]:
    """Whatever goes wrong on a network becomes an _Interrupted that says it in a few words."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise _Interrupted(f"the server says {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise _Interrupted(f"nothing came for {TIMEOUT_S:g}s") from error
    except urllib.error.URLError as error:
        raise _Interrupted(f"{getattr(error.reason, 'strerror', None) or error.reason}") from error
    except (OSError, HTTPException) as error:
        raise _Interrupted(f"the connection broke: {error}") from error


def _blocks(read: Callable[[], bytes]) -> Iterator[bytes]:
    while data := read():
        yield data


def _verify(part: Path, size: int, sha256: str, address: str, report: Report) -> None:
    """Remove `part` and raise CorpusError if it is not what it should be."""
    meter = Meter("verifying", size, report)
    digest = hashlib.sha256()
    with part.open("rb") as file:
        for data in _blocks(lambda: file.read(1 << 20)):
            digest.update(data)
            meter.advance(len(data))
        os.fsync(file.fileno())  # it is about to be renamed into place
    meter.finish()
    received = part.stat().st_size
    if received != size or digest.hexdigest() != sha256:
        part.unlink()
        raise CorpusError(
            f"{address} is not the text it should be: {received:,} bytes with SHA-256 "
            f"{digest.hexdigest()[:16]}..., not {size:,} with {sha256[:16]}...; it was removed"
        )


def _extract(archive: Path, part: Path, size: int, address: str, report: Report) -> None:
    """Write the archive's one member, whatever it is called, and no more than `size` bytes."""
    meter = Meter("extracting", size, report)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            if len(members) != 1 or members[0].file_size != size:
                raise CorpusError(
                    f"{address} holds {len(members)} files, not one of {size:,} bytes"
                )
            with opened.open(members[0]) as source, part.open("wb") as target:
                left = size
                for data in _blocks(lambda: source.read(_CHUNK)):
                    left -= len(data)
                    if left < 0:
                        raise CorpusError(f"{address} holds more than it says")
                    target.write(data)
                    meter.advance(len(data))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise CorpusError(f"{address} is not a whole zip file: {error}") from error
    meter.finish()
