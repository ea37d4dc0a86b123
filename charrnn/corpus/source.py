"""Where text comes from: files, folders, globs, stdin (`-`), and the standard library's source.

The names that a user gives become files, in an order that is always the same; no text is read yet.
"""

import glob
import os
import stat
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, Literal

from charrnn.corpus.catalogue import CATALOGUE
from charrnn.errors import CorpusError, did_you_mean

STDIN = "-"
"""What the standard input is called."""
STDLIB = "stdlib"
"""What the source of Python's standard library is called."""
CORPORA = Path("corpora")
"""The folder, in the current one, where texts are looked for and fetched into."""
_NOT_LIBRARY = {"test", "tests", "idle_test", "encodings", "site-packages", "dist-packages"}


@dataclass(frozen=True)
class Source:
    """One place that text is read from, as the user named it."""

    kind: Literal["file", "folder", "glob", "pipe", "stdin", "stdlib"]
    path: Path
    """Path of the file, folder or pipe, or the pattern; for stdin `-`."""

    @property
    def stem(self) -> str:
        """A short name for runs: `shakespeare` for /some/where/shakespeare.txt."""
        if self.kind in ("stdin", "stdlib", "pipe"):
            return self.kind
        path = self.path
        while glob.has_magic(str(path)) and self.kind == "glob":
            path = path.parent
        name = os.fsencode(path.resolve().name).decode(errors="replace")
        return name.split(".")[0] or name.strip(".") or "corpus"

    @property
    def is_read_once(self) -> bool:
        """True if the text is gone once it has been read."""
        return self.kind in ("stdin", "pipe")


@dataclass(frozen=True)
class TextFile:
    """One file that is about to be read."""

    path: Path
    name: str
    """What messages call the file."""
    status: tuple[int, int, int, int]
    """(device, inode, size in bytes, modification time in ns) when the file was found."""
    wanted: Literal["always", "if text", "if ascii"] = "always"
    """When the file is read: always, as one that was named, which must be text; or only if it turns
    out to be text, or ASCII text, as one that was found in a folder."""
    handle: BinaryIO | None = None
    """The open file that holds the bytes if `path` cannot be opened a second time."""

    @property
    def size(self) -> int:
        """Size of the file on the disk in bytes."""
        return self.status[2]


@dataclass(frozen=True)
class Listing:
    """The files that there are to read."""

    files: tuple[TextFile, ...]
    """The files in the order in which they are read."""
    passed_over: tuple[str, ...]
    """Names of what a folder holds that is neither file nor folder: pipes, sockets, links to
    folders."""


def find(argument: str) -> Source | None:
    """The source that `argument` names, or None if there is no such thing.

    A path is tried first, then the same name in `corpora/`, with and without `.txt`, then
    `stdlib`, then a pattern such as `notes/*.txt`.
    """
    if argument == STDIN:
        return Source("stdin", Path(STDIN))
    candidates = [Path(argument)]
    if Path(argument).name == argument:
        candidates += [CORPORA / argument, CORPORA / f"{argument}.txt"]
    for path in candidates:
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError):
            continue
        if stat.S_ISDIR(mode):
            return Source("folder", path)
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            return Source("pipe", path)
        if not stat.S_ISREG(mode):
            raise CorpusError(f"{argument!r} is a device, not a text")
        return Source("file", path)
    if argument == STDLIB:
        return Source("stdlib", Path(sysconfig.get_path("stdlib")))
    if glob.has_magic(argument) and _matches(argument):
        return Source("glob", Path(argument))
    return None


def locate(argument: str) -> Source:
    """The source that `argument` names; raises CorpusError if there is no such thing."""
    source = find(argument)
    if source is not None:
        return source
    if glob.has_magic(argument):
        raise CorpusError(f"no file matches {argument!r}")
    places = " here or in corpora/" if Path(argument).name == argument else ""
    raise CorpusError(
        f"no file or folder {argument!r}{places}; give a path, - for stdin, stdlib, or a name "
        "that `charrnn corpus list` shows" + _meant(argument)
    )


def _meant(argument: str) -> str:
    """`; did you mean 'notes.txt'?`, where a file beside it has a name like that of `argument`."""
    path = Path(argument)
    meant = did_you_mean(path.name, _names_beside(path))
    folder = "" if path.name == argument else f"{path.parent}{os.sep}"
    return meant.replace("mean '", f"mean '{folder}") if meant else ""


def _names_beside(path: Path) -> Iterator[str]:
    """The names of the files in the folder of `path`; and where it is a name alone, of those in
    corpora/ and of the catalogue.
    """
    with suppress(OSError):
        yield from (beside.name for beside in path.parent.iterdir())
    if path.name == str(path):
        yield STDLIB
        yield from (name for entry in CATALOGUE for name in (entry.name, *entry.aliases))
        with suppress(OSError):
            yield from (path.name for path in CORPORA.iterdir())


def name_of(sources: Sequence[Source]) -> str:
    """A short name for the text of `sources` together."""
    stems = [source.stem for source in sources]
    return ", ".join(stems) if len(stems) < 4 else f"{stems[0]} and {len(stems) - 1} more"


def list_files(
    sources: Sequence[Source],
    spool: Callable[[Source], TextFile],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Listing:
    """The files of `sources` in order; those below a folder sorted by path.

    Hidden files are left out, and so is what does not match `include` or matches `exclude`:
    patterns for a name or for a path within the folder. `spool` makes a file of a source that is
    read once. Raises CorpusError for a file or folder that cannot be looked at.
    """
    files: list[TextFile] = []
    passed_over: list[str] = []
    for source in sources:
        if source.is_read_once:
            files.append(spool(source))
        elif source.kind == "file":
            files.append(_text_file(source.path))
        elif source.kind == "folder":
            _list_folder(source.path, include, exclude, files, passed_over)
        elif source.kind == "stdlib":
            for path in library_files(source.path):
                files.append(_text_file(path, "if ascii"))
        elif source.kind == "glob":
            files += [_text_file(path, "if text") for path in _matches(str(source.path))]
    return Listing(tuple(files), tuple(passed_over))


def library_files(library: Path) -> list[Path]:
    """The standard library's modules by path, without tests, `encodings` and installed packages."""
    files = library.rglob("*.py")
    return sorted(p for p in files if not _NOT_LIBRARY.intersection(p.relative_to(library).parts))


def _list_folder(
    folder: Path,
    include: Sequence[str],
    exclude: Sequence[str],
    files: list[TextFile],
    passed_over: list[str],
) -> None:
    """Add the files below `folder` to `files`, and what is none to `passed_over`.

    Links to folders are not followed, so that no folder is entered twice. Raises CorpusError if
    there is no file.
    """
    before = len(files)
    waiting: list[os.DirEntry[str] | Path] = [folder]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, Path) or entry.is_dir(follow_symlinks=False):
            inside = _scan(Path(entry))
            waiting += reversed([child for child in inside if _passes(child, folder, (), exclude)])
        elif _is_file(entry):
            if _passes(entry, folder, include, ()):
                files.append(_text_file(Path(entry), "if text"))
        else:
            passed_over.append(entry.path)
    if len(files) == before:
        wanted = " or ".join(map(repr, include))
        reason = f"no file there matches `include` {wanted}" if include else "it holds no file"
        raise CorpusError(f"no text in the folder {str(folder)!r}: {reason}")


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise CorpusError(f"cannot read {str(folder)!r}: {error.strerror or error}") from error


def _passes(
    entry: os.DirEntry[str], folder: Path, include: Sequence[str], exclude: Sequence[str]
) -> bool:
    """Whether what is at `entry` below `folder` is not hidden, and wanted by the patterns."""
    if _is_hidden(entry.name):
        return False
    if not include and not exclude:
        return True
    names = (entry.name, Path(os.path.relpath(entry, folder)).as_posix())

    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)

    return (not include or matches(include)) and not matches(exclude)


def _matches(pattern: str) -> list[Path]:
    """The files that a pattern matches, sorted; `**` goes down into folders."""
    paths = map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207  (paths of any kind)
    return sorted(path for path in paths if path.is_file())


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _text_file(path: Path, wanted: Literal["always", "if text", "if ascii"] = "always") -> TextFile:
    try:
        stat_result = path.stat()
    except OSError as error:
        raise CorpusError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    status = (
        stat_result.st_dev,
        stat_result.st_ino,
        stat_result.st_size,
        stat_result.st_mtime_ns,
    )
    return TextFile(path, str(path), status, wanted)
