"""Texts that are not what they should be. Each ends in a model's worth of ids or in one clear line.

Never in a traceback, a wait without end, or a file left half-written in the cache.
"""

import errno
import gzip
import lzma
import os
import resource
import socket
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.corpus import ids_file, reading
from charrnn.corpus.cache import default_cache
from charrnn.corpus.compression import zstd_module
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.source import locate
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.text import CHUNK, read_text
from charrnn.corpus.text_config import TextConfig
from charrnn.errors import CharRNNError, OutputError

GOOD = "some good text, long enough\n" * 20


@dataclass(frozen=True)
class Case:
    """What is there, what is asked for, and what comes of it."""

    name: str
    make: Callable[[], Any]
    """Called in an empty folder; a thread that it returns is joined at the end."""
    arguments: tuple[str, ...]
    expected: str
    """The text (its end, if long), or a part of the one line of the error."""
    fails: bool = True
    options: tuple[tuple[str, Any], ...] = ()


def write(name: str, content: bytes | str) -> Callable[[], None]:
    data = content.encode() if isinstance(content, str) else content

    def make() -> None:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)

    return make


def several(*makers: Callable[[], Any]) -> Callable[[], None]:
    def make() -> None:
        for one in makers:
            one()

    return make


def fifo() -> threading.Thread:
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_text(GOOD))
    writer.start()
    return writer


def folder_with_pipe() -> None:
    write("notes/a.txt", GOOD)()
    os.mkfifo("notes/pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("notes/socket")


def loop() -> None:
    write("notes/a.txt", GOOD)()
    Path("notes/round").symlink_to("..")
    Path("notes/self").symlink_to("self")


def deep() -> None:
    here = Path()
    for _ in range(300):
        here /= "d"
    here.mkdir(parents=True)
    (here / "a.txt").write_text(GOOD)


def write_old_log() -> None:
    """Make a log that was written to long ago, so that its time tells of a change."""
    write("log", GOOD)()
    os.utime("log", ns=(1, 1))


BORDER = "a" * (CHUNK - 1)
CASES = [
    Case("empty", write("a", ""), ("a",), "no text in a: it is empty"),
    Case("two empty ones", several(write("a", ""), write("b", "")), ("a", "b"), "it is empty"),
    Case("only a mark", write("a", b"\xef\xbb\xbf"), ("a",), "no text in a: it is empty"),
    Case("half a mark", write("a", b"\xef\xbb"), ("a",), "a is not UTF-8: byte 0xef at offset 0"),
    Case("one character", write("a", "x"), ("a",), "a single distinct character, 'x'"),
    Case("one character often", write("a", "x" * 999), ("a",), "a single distinct character, 'x'"),
    Case("two characters", write("a", "xy"), ("a",), "too short: of its 2 characters"),
    Case("only line ends", write("a", "\r\n" * 50), ("a",), "\r\n" * 50, fails=False),
    Case("only NUL and a", write("a", "\0a" * 50), ("a",), "\0a" * 50, fails=False),
    Case("lone CR", write("a", "a\rb\r" * 20), ("a",), "a\rb\r" * 20, fails=False),
    Case("no such file", lambda: None, ("a",), "no file or folder 'a' here"),
    Case("no such name", lambda: None, ("a\0b",), "no file or folder 'a\\x00b'"),
    Case("a long name", lambda: None, ("a" * 5000,), "no file or folder"),
    Case("a broken link", lambda: Path("a").symlink_to("b"), ("a",), "no file or folder 'a'"),
    Case("a link to itself", lambda: Path("a").symlink_to("a"), ("a",), "no file or folder 'a'"),
    Case("a device", lambda: None, ("/dev/zero",), "'/dev/zero' is a device, not a text"),
    Case("a pipe", fifo, ("pipe",), GOOD, fails=False),
    Case("a pipe in a folder", folder_with_pipe, ("notes",), GOOD, fails=False),
    Case("folders in a circle", loop, ("notes",), GOOD, fails=False),
    Case("300 folders deep", deep, ("d",), GOOD, fails=False),
    Case("an empty folder", lambda: Path("d").mkdir(), ("d",), "'d': it holds no file"),
    Case("no text in it", write("d/x", b"\0\1"), ("d",), "1 file that is not text: d/x"),
    Case(
        "text beside binary",
        several(write("d/a", GOOD), write("d/b", b"\0" + GOOD.encode()), write("d/c", b"\xff")),
        ("d",),
        GOOD,
        fails=False,
    ),
    Case("made up as it is read", lambda: None, ("/proc/self/status",), "Name:", fails=False),
    Case(
        "not UTF-8", write("a", b"x\ny\xff"), ("a",), "byte 0xff at offset 3 (line 2); `as_bytes`"
    ),
    Case(
        "not UTF-8 behind a border",
        write("a", b"\n" * CHUNK + b"\xff"),
        ("a",),
        f"byte 0xff at offset {CHUNK} (line {CHUNK + 1})",
    ),
    Case(
        "a character broken by a border",
        write("a", BORDER.encode() + b"\xf0\x9f\x98z"),
        ("a",),
        f"byte 0xf0 at offset {CHUNK - 1} (line 1)",
    ),
    Case(
        "a character broken by the end",
        write("a", BORDER.encode() + b"\xe4\xbd"),
        ("a",),
        f"byte 0xe4 at offset {CHUNK - 1} (line 1)",
    ),
    Case(
        "4 bytes across a border",
        write("a", BORDER + "😀" * 100),
        ("a",),
        "a" * 100 + "😀" * 100,
        fails=False,
    ),
    Case("a surrogate", write("a", b"ab\xed\xa0\x80"), ("a",), "byte 0xed at offset 2"),
    Case("an overlong NUL", write("a", b"ab\xc0\x80"), ("a",), "byte 0xc0 at offset 2"),
    Case(
        "half a character",
        write("a", "abc +2AA-"),
        ("a",),
        "a holds half a character, '\\ud800'",
        options=(("encoding", "utf-7"),),
    ),
    Case(
        "half of UTF-16",
        write("a", "ab\n日本".encode("utf-16-le")[:-1]),
        ("a",),
        "a is not utf-16-le: byte 0x2c at offset 8 (line 2)",
        options=(("encoding", "utf-16-le"),),
    ),
    Case(
        "the last character there is",
        write("a", "a\U0010ffff" * 50),
        ("a",),
        "a\U0010ffff" * 50,
        fails=False,
    ),
    Case("cut .gz", write("a.gz", gzip.compress(b"x" * 999)[:-9]), ("a.gz",), "not a whole gzip"),
    Case("bad .gz", write("a.gz", GOOD), ("a.gz",), "'a.gz' is not a whole gzip file"),
    Case(
        "damaged .gz",
        write("a.gz", gzip.compress(os.urandom(500))[:-8] + bytes(8)),
        ("a.gz",),
        "'a.gz' is not a whole gzip file: CRC",
        options=(("as_bytes", True),),
    ),
    Case("cut .xz", write("a.xz", lzma.compress(b"x" * 999)[:-9]), ("a.xz",), "not a whole xz"),
    Case("bad .xz", write("a.xz", GOOD), ("a.xz",), "'a.xz' is not a whole xz file"),
    Case("bad .zst", write("a.zst", GOOD), ("a.zst",), "'a.zst' is not a whole zstd file"),
    Case(
        "cut .zst",
        write("a.zst", zstd_module("").compress(os.urandom(999))[:-9]),
        ("a.zst",),
        "'a.zst' is not a whole zstd file",
        options=(("as_bytes", True),),
    ),
    Case(
        "raw deflate in .gz",
        write("a.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + zlib.compress(b"abc")),
        ("a.gz",),
        "'a.gz' is not a whole gzip file",
    ),
    Case(
        "all characters rare",
        write("a", "abcdefgh" * 9),
        ("a",),
        "a single distinct character",
        options=(("min_count", 10),),
    ),
    Case("a pattern for nothing", write("d/a", GOOD), ("d/*.txt",), "no file matches 'd/*.txt'"),
    Case(
        "one line of two million",
        write("a", "0123456789" * 200_000),
        ("a",),
        "0123456789" * 9,
        fails=False,
    ),
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def text_of(*arguments: str, **options: Any) -> str:
    config = TextConfig(**options)
    text = reading.read_sources([locate(argument) for argument in arguments], config).text
    corpus = EncodedCorpus.from_encoded(text, arguments[0], SplitConfig())
    return corpus.vocabulary.decode(corpus.ids[-3000:])


def one_line(error: CharRNNError) -> str:
    return " ".join(str(error).split())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_text_is_read_or_is_one_clear_line(case: Case) -> None:
    busy = case.make()
    options = dict(case.options)
    if case.fails:
        with pytest.raises(CharRNNError) as caught:
            text_of(*case.arguments, **options)
        assert case.expected in str(caught.value)
        assert "\n" not in str(caught.value)
    else:
        found = text_of(*case.arguments, **options)
        assert found.endswith(case.expected) or found.startswith(case.expected)
    if isinstance(busy, threading.Thread):
        busy.join(20)
    assert not list(default_cache().folder.glob(".*"))


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 30
    assert len({case.name for case in CASES}) == len(CASES)


def refuse(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the permission away; root may read all the same, so for root opening is refused."""
    path.chmod(0)
    if os.geteuid() == 0:
        opened = Path.open
        monkeypatch.setattr(
            Path,
            "open",
            lambda self, *a, **k: (
                opened(self, *a, **k) if self != path else _raise(errno.EACCES, str(path))
            ),
        )


def _raise(number: int, name: str) -> Any:
    raise OSError(number, os.strerror(number), name)


@pytest.mark.parametrize("argument", ["d", "d/a.txt"])
def test_a_file_that_may_not_be_read_is_one_clear_line(
    argument: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("d/a.txt", GOOD)()
    refuse(Path("d/a.txt"), monkeypatch)
    with pytest.raises(CharRNNError, match=r"cannot read 'd/a\.txt': Permission denied"):
        text_of(argument)


def during_reading(action: Callable[[], None], monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Do something to the file before the first (0) or the second (1) pass over it."""
    calls = iter(range(9))

    def changed(*arguments: Any) -> Any:
        if next(calls) == call:
            action()
        return read_text(*arguments)

    monkeypatch.setattr(reading, "read_text", changed)


@pytest.mark.parametrize("call", [0, 1])
def test_a_log_that_grows_is_read_up_to_where_it_was(
    call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_old_log()
    before = Path("log").stat().st_size

    def grow() -> None:
        with Path("log").open("a") as file:
            file.write("é more\n" * 9)

    during_reading(grow, monkeypatch, call)
    assert text_of("log") == GOOD
    assert Path("log").stat().st_size > before
    assert not list(default_cache().folder.glob("*.json"))  # it is not known by that status
    assert text_of("log") == GOOD + "é more\n" * 9


@pytest.mark.parametrize("call", [0, 1])
def test_a_file_that_is_truncated_meanwhile_is_one_clear_line(
    call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a", GOOD)()
    during_reading(lambda: os.truncate("a", 9), monkeypatch, call)
    with pytest.raises(CharRNNError, match="'a' became shorter while it was read"):
        text_of("a")
    assert not list(default_cache().folder.glob("*.ids"))


def test_a_file_that_becomes_another_between_the_passes_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("a", GOOD)()
    during_reading(write("a", GOOD.swapcase()), monkeypatch, 1)
    with pytest.raises(CharRNNError, match="the text changed while it was read; try again"):
        text_of("a")
    assert not list(default_cache().folder.glob("*.ids"))


def test_a_compressed_file_that_becomes_longer_between_the_passes_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("a.gz", gzip.compress(GOOD.encode()))()
    longer = gzip.compress((GOOD * 2).encode())
    during_reading(write("a.gz", longer), monkeypatch, 1)
    with pytest.raises(CharRNNError, match="the text changed while it was read; try again"):
        text_of("a.gz")
    assert not list(default_cache().folder.glob("*.ids"))


def test_a_disk_that_fills_up_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a", GOOD)()
    monkeypatch.setattr(os, "fsync", lambda number: _raise(errno.ENOSPC, ""))
    with pytest.raises(CharRNNError, match=r"No space left on device; \$XDG_CACHE_HOME"):
        text_of("a")
    left = {path.name for path in default_cache().folder.iterdir()}
    assert left == {"lock"}
    monkeypatch.undo()


def test_a_write_to_the_cache_that_fails_halfway() -> None:
    write("a", GOOD)()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"keep the text's ids: cannot write .* too large;"):
            text_of("a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name for path in default_cache().folder.iterdir()} == {"lock"}


def test_a_cache_folder_that_cannot_be_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write("a", GOOD)()
    write("file", "")()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(CharRNNError, match=r"cannot use the cache folder .*Not a directory"):
        text_of("a")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(Path, "home", lambda: _raise_no_home())
    with pytest.raises(CharRNNError, match="no home folder for the cache"):
        text_of("a")


def _raise_no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_a_reader_that_is_interrupted_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a", GOOD)()

    def interrupted(number: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        text_of("a")
    assert {path.name for path in default_cache().folder.iterdir()} == {"lock"}


@pytest.mark.slow
def test_a_single_line_of_200_megabytes_is_read() -> None:
    block = ("0123456789é" * 100_000).encode()
    with Path("a").open("wb") as file:
        while file.tell() < 200_000_000:
            file.write(block)
    text = reading.read_sources([locate("a")], TextConfig()).text
    count = Path("a").stat().st_size // len(block)
    assert len(text.ids) == count * 1_100_000
    assert np.array_equal(text.ids[-11:], np.arange(11))
    with Path("a").open("ab") as file:
        file.write(b"\xff")
    with pytest.raises(CharRNNError, match=rf"offset {count * len(block)} \(line 1\)"):
        reading.read_sources([locate("a")], TextConfig())


def test_a_file_of_ids_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    text = EncodedCorpus.from_text(GOOD, "good", SplitConfig())
    for count in (len(text.ids) - 1, len(text.ids) + 1):
        with pytest.raises(CharRNNError, match="changed while it was read"):
            ids_file.write(tmp_path / "x.ids", text.vocabulary, count, "0" * 64, [text.ids])
        assert list(tmp_path.iterdir()) == []
