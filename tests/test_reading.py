"""From sources to ids: the same text by any route, the cache, and what makes it miss."""

import gzip
import hashlib
import io
import json
import lzma
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.corpus import ids_file, reading
from charrnn.corpus import text as text_module
from charrnn.corpus.cache import Cache, default_cache
from charrnn.corpus.compression import zstd_module
from charrnn.corpus.ids_file import EncodedText
from charrnn.corpus.progress import Meter, Note, silent
from charrnn.corpus.source import TextFile, locate
from charrnn.corpus.text_config import TextConfig
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import CorpusError, UsageError
from charrnn.extras import how_to_install

TEXT = "Ça va? — Да, 好的 😀\r\n\tNUL:\0 lone CR:\r end\n" * 40


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of character crosses a border between two chunks."""
    monkeypatch.setattr(text_module, "CHUNK", 5)


def read(*arguments: str | Path, stdin: bytes = b"", **options: Any) -> EncodedText:
    sources = [locate(str(argument)) for argument in arguments]
    return reading.read_sources(sources, TextConfig(**options), stdin=io.BytesIO(stdin)).text


def decoded(encoded: EncodedText) -> str:
    return encoded.vocabulary.decode(encoded.ids)


def age(*paths: Path) -> None:
    """Make files old enough that their modification time tells them apart."""
    for path in paths:
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 10**10))


def write_all_routes(data: bytes) -> dict[str, Path]:
    Path("folder/deep").mkdir(parents=True)
    compressed = {
        ".txt": data,
        ".gz": gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]),
        ".xz": lzma.compress(data),
        ".zst": zstd_module("").compress(data),
    }
    for suffix, content in compressed.items():
        Path(f"text{suffix}").write_bytes(content)
    Path("folder/deep/only.txt").write_bytes(data)
    routes = {suffix: Path(f"text{suffix}") for suffix in compressed}
    return {**routes, "folder": Path("folder"), "glob": Path("folder/**/*.txt"), "stdin": Path("-")}


@pytest.mark.usefixtures("small_chunks")
def test_every_route_gives_the_same_ids_vocabulary_and_hash() -> None:
    data = TEXT.replace("\0", "").encode()  # a NUL would make a file in a folder no text
    expected = Vocabulary.from_text(data.decode())
    for route, path in write_all_routes(data).items():
        found = read(path, stdin=data)
        assert found.vocabulary == expected, route
        assert found.ids.tolist() == expected.encode(data.decode()).tolist(), route
        assert found.sha256 == hashlib.sha256(data).hexdigest(), route


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 7, 1 << 18])
def test_text_is_left_as_it_is(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "CHUNK", chunk)
    Path("a.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.encode() + "\ufeffmid".encode())
    assert decoded(read("a.txt")) == TEXT + "\ufeffmid"
    found = read("a.txt", as_bytes=True)
    assert found.vocabulary.decode_bytes(found.ids) == Path("a.txt").read_bytes()


def test_files_follow_each_other_on_lines_of_their_own() -> None:
    for name, content in {"b": "first", "empty": "", "a": "second\n", "c": "third"}.items():
        Path(name).write_text(content)
    assert decoded(read("b", "empty", "a", "-", "c", stdin=b"piped")) == (
        "first\nsecond\npiped\nthird"
    )
    found = read("b", "c", as_bytes=True)
    assert found.vocabulary.decode_bytes(found.ids) == b"firstthird"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "cp1252", "shift_jis"])
@pytest.mark.parametrize("chunk", [1, 3, 1 << 18])
def test_other_encodings_are_decoded(
    encoding: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_module, "CHUNK", chunk)
    text = "naïve\r\n" * 9 if encoding == "cp1252" else "日本の, abc\n" * 9
    Path("a.txt").write_bytes(text.encode(encoding))
    found = read("a.txt", encoding=encoding.upper())
    assert decoded(found) == text
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()


@given(
    st.text(alphabet="ae\u0301\u0323\u1100\u1161\u11a8가각か\u3099 \u0f71\u0f72é"),
    st.integers(1, 9),
)
@settings(deadline=None, max_examples=60)
def test_composing_by_chunks_is_composing_at_once(text: str, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "CHUNK", chunk)
        file = TextFile(
            Path("-"), "-", (0, 0, len(text.encode()), 0), handle=io.BytesIO(text.encode())
        )
        meter = Meter("", None, silent)
        chunks = text_module.read_file(file, TextConfig(normalize="NFC"), meter)
        found = b"".join(chunk.data for chunk in chunks).decode()
    assert found == unicodedata.normalize("NFC", text.removeprefix("\ufeff"))


def test_rare_characters_fold_into_one() -> None:
    Path("a.txt").write_text("aaaa bbb\ncc\nd é 好")
    found = read("a.txt", min_count=3)
    assert found.vocabulary.characters == " ab\ufffd"
    assert decoded(found) == "aaaa bbb\ufffd\ufffd\ufffd\ufffd\ufffd \ufffd \ufffd"
    assert found.sha256 == read("a.txt").sha256
    assert "\ufffd" not in read("a.txt", min_count=1).vocabulary.characters


def test_ids_take_the_smallest_type() -> None:
    for size, dtype in ((2, "u1"), (256, "u1"), (257, "u2"), (65536, "u2"), (65537, "u4")):
        characters = "".join(chr(0x10000 + i) for i in range(size))
        Path("a.txt").write_text(characters)
        found = read("a.txt")
        assert found.ids.dtype == np.dtype(dtype)
        assert np.array_equal(found.ids, np.arange(size))
    Path("a.bin").write_bytes(bytes(range(256)))
    assert read("a.bin", as_bytes=True).ids.dtype == np.uint8


def test_a_text_that_has_not_changed_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("a.txt")
    path.write_text(TEXT)
    age(path)
    first = read(path)
    monkeypatch.setattr(reading, "read_text", None)  # nothing can be read from here on
    again = read(path)
    assert np.array_equal(again.ids, first.ids)
    assert again.sha256 == first.sha256


def test_what_has_changed_is_read_again_and_what_was_only_touched_is_found_by_its_hash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = Path("a.txt")
    path.write_text(TEXT)
    age(path)
    first = read(path)
    os.utime(path, ns=(1, 1))
    with monkeypatch.context() as patched:
        patched.setattr(ids_file, "write", None)  # nothing can be encoded
        assert read(path).sha256 == first.sha256
    path.write_text(TEXT.swapcase())  # the same size, and the old time again
    os.utime(path, ns=(1, 1))
    replaced = path.with_suffix(".new")
    replaced.write_text(TEXT.upper())
    os.utime(replaced, ns=(1, 1))
    replaced.replace(path)  # another inode
    assert decoded(read(path)) == TEXT.upper()


def test_a_folder_with_an_empty_file_is_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("notes").mkdir()
    Path("notes/a.txt").write_text("some\n")
    Path("notes/b.txt").write_text("")
    age(Path("notes/a.txt"), Path("notes/b.txt"))
    read("notes")
    monkeypatch.setattr(reading, "read_text", None)
    assert decoded(read("notes")) == "some\n"
    assert decoded(read(Path("notes").resolve())) == "some\n"


def test_options_have_entries_of_their_own() -> None:
    path = Path("a.txt")
    path.write_text(TEXT)
    age(path)
    assert read(path).vocabulary.is_bytes is False
    assert read(path, as_bytes=True).vocabulary.is_bytes
    assert "\ufffd" in read(path, min_count=41).vocabulary.characters
    assert decoded(read(path)) == TEXT


def test_a_file_written_a_moment_ago_is_not_trusted_to_stay() -> None:
    path = Path("a.txt")
    path.write_text(TEXT)
    read(path)
    assert not list(default_cache().folder.glob("*.json"))
    age(path)
    read(path)
    assert len(list(default_cache().folder.glob("*.json"))) == 1


def test_without_its_package_zst_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("a.zst").write_bytes(zstd_module("").compress(TEXT.encode()))
    for module in ("backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CorpusError, match=re.escape(how_to_install("backports.zstd"))) as refused:
        read("a.zst")
    assert "'a.zst'" in str(refused.value)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "empty": lambda data: b"",
    "no header": lambda data: b"\xff" * 8 + data[8:],
    "header changed": lambda data: data.replace(b'"is_bytes":false', b'"is_bytes":true '),
    "other format": lambda data: data.replace(b"charrnn-ids", b"charrnn-idz"),
    "garbage": lambda data: os.urandom(len(data)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_made_again(damage: str) -> None:
    path = Path("a.txt")
    path.write_text(TEXT)
    age(path)
    read(path)
    (entry,) = default_cache().folder.glob("*.ids")
    whole = entry.read_bytes()
    entry.write_bytes(DAMAGE[damage](whole))
    with pytest.raises(CorpusError, match="damaged or not a file of ids"):
        ids_file.open_ids(entry)
    assert decoded(read(path)) == TEXT
    assert entry.read_bytes() == whole


def test_a_record_of_the_cache_cannot_lead_elsewhere() -> None:
    path = Path("a.txt")
    path.write_text(TEXT)
    age(path)
    read(path)
    (entry,) = default_cache().folder.glob("*.ids")
    (record,) = default_cache().folder.glob("*.json")
    outside = Path("outside.ids")
    outside.write_bytes(entry.read_bytes())
    for name in (str(outside.resolve()), "../outside.ids", "", None, 7):
        record.write_text(json.dumps({"entry": name, "names": [], "passed_over": []}))
        assert default_cache().find(record.stem) is None


def test_an_unfinished_file_of_a_crash_is_cleaned_up() -> None:
    folder = default_cache().folder
    folder.mkdir(parents=True)
    (folder / ".0123.99999.part").write_bytes(b"half")
    Path("a.txt").write_text(TEXT)
    read("a.txt")
    assert not list(folder.glob(".*.part"))


def test_the_cache_shows_and_clears_what_it_keeps() -> None:
    Path("a.txt").write_text(TEXT)
    Path("b.txt").write_text(TEXT)
    age(Path("a.txt"), Path("b.txt"))
    read("a.txt")
    read("b.txt")
    read("-", stdin=b"from a pipe")
    cache = default_cache()
    assert {(one.names, one.num_ids) for one in cache.entries()} == {
        (("a.txt", "b.txt"), len(TEXT)),
        ((), len("from a pipe")),
    }
    size = sum(one.size for one in cache.entries())
    assert cache.clear(silent) > size
    assert cache.entries() == []
    assert decoded(read("a.txt")) == TEXT


def test_two_encoders_at_once_do_the_work_once(tmp_path: Path) -> None:
    path = Path("a.txt")
    path.write_text(TEXT * 500)
    age(path)
    program = (
        "import sys\n"
        "from charrnn.corpus import ids_file, reading\n"
        "from charrnn.corpus.source import locate\n"
        "from charrnn.corpus.text_config import TextConfig\n"
        "write, count = ids_file.write, []\n"
        "ids_file.write = lambda *a: (count.append(1), write(*a))\n"
        "sys.stdin.readline()\n"
        "found = reading.read_sources([locate('a.txt')], TextConfig()).text\n"
        "print(len(count), found.sha256, int(found.ids.sum(dtype='u8')))\n"
    )
    command = [sys.executable, "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    both = [subprocess.Popen(command, text=True, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    found = [one.communicate("go\n", timeout=60)[0].split() for one in both]
    assert sorted(int(one[0]) for one in found) == [0, 1]
    assert found[0][1:] == found[1][1:]


def test_a_second_encoder_waits_and_says_so() -> None:
    import threading

    notes: list[Any] = []
    waiting, cache = threading.Event(), default_cache()

    def report(event: Any) -> None:
        notes.append(event)
        waiting.set()

    def second() -> None:
        with cache.locked(report):
            notes.append("in")

    thread = threading.Thread(target=second)
    with cache.locked(silent):
        thread.start()
        assert waiting.wait(20)
        assert notes == [Note("waiting for another charrnn that is encoding a text")]
    thread.join(20)
    assert notes[1:] == ["in"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "utf-9"}, "`encoding` utf-9: no such text encoding"),
        ({"encoding": "rot13"}, "`encoding` rot13"),
        ({"encoding": "zlib"}, "`encoding` zlib"),
        ({"encoding": ""}, "`encoding`"),
        ({"encoding": "a\0b"}, "`encoding`"),
        ({"normalize": "NFQ"}, "`normalize` NFQ"),
        ({"min_count": 0}, "`min_count` 0"),
        ({"as_bytes": True, "encoding": "latin-1"}, "`as_bytes` and `encoding`"),
        ({"as_bytes": True, "normalize": "NFC"}, "`as_bytes` and `normalize`"),
        ({"as_bytes": True, "min_count": 2}, "`as_bytes` and `min_count`"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TextConfig(**options)


def test_ids_out_of_the_vocabulary_are_found(tmp_path: Path) -> None:
    path = tmp_path / "x.ids"
    ids_file.write(path, Vocabulary("abc"), 4, "0" * 64, [np.array([0, 1, 2, 3], np.uint8)])
    found = ids_file.open_ids(path)
    ids_file.check_ids(found.ids[:3], 3)
    with pytest.raises(CorpusError, match="3 in a vocabulary of 3; `charrnn corpus cache --clear`"):
        ids_file.check_ids(found.ids, 3)


def test_the_cache_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache().folder == tmp_path / "home" / ".cache" / "charrnn" / "texts"
    assert isinstance(Cache(tmp_path).entries(), list)
