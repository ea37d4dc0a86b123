"""Fetching corpora from a server that stalls, breaks off, lies and serves the wrong bytes."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from charrnn.corpus import catalogue, download
from charrnn.corpus.cache import default_cache
from charrnn.corpus.catalogue import CATALOGUE, CatalogueEntry, CorpusFile, find_entry
from charrnn.corpus.progress import Note, Progress, silent
from charrnn.errors import CorpusError
from charrnn.files.lock import held
from tests.conftest import Run

TEXT = b"".join(b"line %d of a text that is worth fetching\n" % number for number in range(5000))


class Server(ThreadingHTTPServer):
    """Serves `content` in the way that `manner` says, and keeps the ranges it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content: dict[str, bytes] = {}
        self.manner = "well"
        self.asked: list[tuple[str, str | None]] = []
        self.over = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mirror"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        data = self.server.content.get(self.path)
        manner = self.server.manner
        if data is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if asked and start >= len(data):
            self.send_error(416)
            return
        ranged = bool(asked) and manner != "no ranges"
        if not ranged:
            start = 0
        body = data[start:]
        self.send_response(206 if ranged else 200)
        if ranged:
            shown = 0 if manner == "wrong range" else start
            self.send_header("Content-Range", f"bytes {shown}-{len(data) - 1}/{len(data)}")
        length = {"says less": len(body) // 2, "says more": len(body) + 99}.get(manner, len(body))
        if manner != "says nothing":
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if manner in ("breaks off", "breaks off once"):
            body = body[: len(body) // 3]
        if manner == "breaks off once":
            self.server.manner = "well"
        if manner == "stalls":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            self.server.over.wait(20)
            return
        self.wfile.write(body[:length])
        self.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.chdir(tmp_path)
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv(download.MIRROR_VARIABLE, serving.address)
        yield serving
        serving.over.set()
        serving.shutdown()
        thread.join(20)


def entry(**changes: Any) -> CatalogueEntry:
    file = {
        "url": "https://example.invalid/some/where/input.txt",
        "name": "tales.txt",
        "size": len(TEXT),
        "sha256": hashlib.sha256(TEXT).hexdigest(),
        **changes,
    }
    return CatalogueEntry("tales", "tales", "public domain", "none", (CorpusFile(**file),))


def zipped(*members: tuple[str, bytes]) -> tuple[bytes, CatalogueEntry]:
    """A zip file of `members`, and the entry of a corpus that is in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    data = buffer.getvalue()
    return data, entry(
        url="https://example.invalid/tales.zip",
        archive_size=len(data),
        archive_sha256=hashlib.sha256(data).hexdigest(),
    )


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


PATH = "/mirror/tales.txt"


@pytest.mark.parametrize("manner", ["well", "says nothing", "no ranges", "breaks off once"])
def test_a_corpus_is_fetched_whole_and_only_once(manner: str, server: Server) -> None:
    server.content[PATH], server.manner = TEXT, manner
    folder = Path("corpora")
    notes: list[Progress | Note] = []
    for _ in range(2):
        place = download.download(entry(), folder, notes.append)
        assert place == folder / "tales.txt"
        assert place.read_bytes() == TEXT
    assert everything(folder) == ["tales.txt"]
    assert len(server.asked) == (2 if manner == "breaks off once" else 1)
    if manner == "breaks off once":
        assert server.asked[1] == (PATH, f"bytes={len(TEXT) // 3}-")
    assert notes[0] == Note(
        f"fetching tales (0.2 MB, public domain) from {server.address}/tales.txt "
        "into corpora/tales.txt"
    )


@pytest.mark.parametrize("manner", ["well", "no ranges", "wrong range"])
def test_an_interrupted_download_goes_on(manner: str, server: Server) -> None:
    server.content[PATH], server.manner = TEXT, manner
    Path("corpora").mkdir()
    Path("corpora/.tales.txt.part").write_bytes(TEXT[:777])
    download.download(entry(), Path("corpora"), silent)
    assert Path("corpora/tales.txt").read_bytes() == TEXT
    again = [(PATH, None)] if manner == "wrong range" else []
    assert server.asked == [(PATH, "bytes=777-"), *again]


def test_a_part_that_is_too_long_or_of_another_text_is_given_up(server: Server) -> None:
    server.content[PATH] = TEXT
    Path("corpora").mkdir()
    Path("corpora/.tales.txt.part").write_bytes(TEXT * 2)
    download.download(entry(), Path("corpora"), silent)
    Path("corpora/tales.txt").rename("corpora/.tales.txt.part")
    Path("corpora/.tales.txt.part").write_bytes(b"!" * 99)
    with pytest.raises(CorpusError, match="it was removed"):
        download.download(entry(), Path("corpora"), silent)
    download.download(entry(), Path("corpora"), silent)
    assert Path("corpora/tales.txt").read_bytes() == TEXT


def test_a_server_that_never_sends_the_rest_is_given_up(server: Server) -> None:
    server.content[PATH], server.manner = TEXT, "wrong range"
    server.content[PATH] = TEXT[:500]
    Path("corpora").mkdir()
    Path("corpora/.tales.txt.part").write_bytes(TEXT[:777])  # more than the server has: 416
    with pytest.raises(CorpusError, match="it ended after 500 of"):
        download.download(entry(), Path("corpora"), silent)


def test_a_server_that_breaks_off_each_time_is_asked_for_the_rest(server: Server) -> None:
    server.content[PATH], server.manner = TEXT, "breaks off"
    with pytest.raises(CorpusError, match=r"it ended after .* are kept, and the same command"):
        download.download(entry(), Path("corpora"), silent)
    assert len(server.asked) == download.ATTEMPTS
    kept = Path("corpora/.tales.txt.part").read_bytes()
    assert everything(Path("corpora")) == [".tales.txt.part"]
    assert TEXT.startswith(kept)
    assert len(kept) > len(TEXT) // 2
    server.manner = "well"
    download.download(entry(), Path("corpora"), silent)
    assert Path("corpora/tales.txt").read_bytes() == TEXT


def test_a_server_that_stalls_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content[PATH], server.manner = TEXT, "stalls"
    monkeypatch.setattr(download, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    with pytest.raises(CorpusError, match=r"nothing came for 0\.2s; 2,000 of"):
        download.download(entry(), Path("corpora"), silent)
    assert Path("corpora/.tales.txt.part").read_bytes() == TEXT[:2000]


@pytest.mark.parametrize(
    ("manner", "content", "message", "left"),
    [
        ("well", TEXT[:-1] + b"!", "is not the text it should be", []),
        ("well", TEXT + b"more", "holds more than the", []),
        ("says nothing", TEXT * 2, "holds more than the", []),
        ("well", TEXT[:-9], "it ended after", [".tales.txt.part"]),
        ("says more", TEXT[:-9], "it ended after", [".tales.txt.part"]),
        ("says less", TEXT[:10], "it ended after 9 of", [".tales.txt.part"]),
        ("well", b"", "it ended after 0 of", [".tales.txt.part"]),
    ],
)
def test_what_is_not_the_text_never_takes_its_place(
    manner: str, content: bytes, message: str, left: list[str], server: Server
) -> None:
    server.content[PATH], server.manner = content, manner
    with pytest.raises(CorpusError, match=message):
        download.download(entry(), Path("corpora"), silent)
    assert everything(Path("corpora")) == left


def test_a_text_that_no_server_has_is_one_clear_line(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CorpusError, match=r"the server says 404 .*; without a network, bring"):
        download.download(entry(), Path("corpora"), silent)
    monkeypatch.setenv(download.MIRROR_VARIABLE, "http://127.0.0.1:1")
    with pytest.raises(CorpusError, match="Connection refused; without a network, bring"):
        download.download(entry(), Path("corpora"), silent)
    monkeypatch.setenv(download.MIRROR_VARIABLE, "file:///etc")
    with pytest.raises(CorpusError, match="must be an http"):
        download.download(entry(), Path("corpora"), silent)
    assert not Path("corpora").exists()


def test_a_zip_file_gives_its_text_wherever_it_says_it_belongs(server: Server) -> None:
    server.content["/mirror/tales.zip"], corpus = zipped(("../../escaped.txt", TEXT))
    download.download(corpus, Path("corpora"), silent)
    assert Path("corpora/tales.txt").read_bytes() == TEXT
    assert everything(Path()) == ["corpora", "corpora/tales.txt"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ((("a", TEXT), ("b", TEXT)), "holds 2 files, not one of"),
        ((), "holds 0 files"),
        ((("a", TEXT + b"!"),), "holds 1 files, not one of"),
        ((("a", bytes(len(TEXT))),), "is not the text it should be"),
    ],
)
def test_a_zip_file_of_something_else_leaves_no_text(
    members: tuple[tuple[str, bytes], ...], message: str, server: Server
) -> None:
    server.content["/mirror/tales.zip"], corpus = zipped(*members)
    with pytest.raises(CorpusError, match=message):
        download.download(corpus, Path("corpora"), silent)
    assert not [name for name in everything(Path("corpora")) if ".zip" not in name]


def test_a_zip_file_that_lies_about_a_members_size_is_not_believed(server: Server) -> None:
    data, _ = zipped(("a", TEXT + b"a tail beyond what is stated"))
    true, stated = len(TEXT) + 28, len(TEXT)
    data = data.replace(true.to_bytes(4, "little"), stated.to_bytes(4, "little"))
    server.content["/mirror/tales.zip"] = data
    corpus = entry(
        url="https://example.invalid/tales.zip",
        archive_size=len(data),
        archive_sha256=hashlib.sha256(data).hexdigest(),
    )
    with pytest.raises(CorpusError, match=r"holds more than it says|is not a whole zip file"):
        download.download(corpus, Path("corpora"), silent)
    assert not Path("corpora/tales.txt").exists()


def test_the_catalogue_is_in_order() -> None:
    names = [name for one in CATALOGUE for name in (one.name, *one.aliases)]
    assert len(set(names)) == len(names)
    for one in CATALOGUE:
        assert one.licence
        for file in one.files:
            assert file.url.startswith("https://")
            assert "/" not in file.name
            assert len(file.sha256) == 64
            assert (file.archive_size is None) == (file.archive_sha256 is None)
    assert find_entry("tinyshakespeare") == find_entry("shakespeare") is not None
    assert find_entry("nothing") is None


SMALL = ["--hidden-size", "16", "--steps", "2"]


def test_train_fetches_on_first_use_after_saying_so(server: Server, cli: Run) -> None:
    # The real catalogue, whose checksums no text of ours has: it is fetched, judged and removed.
    server.content["/mirror/names.txt"] = bytes(228_145)
    done = cli("train", "names", *SMALL)
    first, last = done.stderr.decode().splitlines()
    assert first == (
        f"fetching names (0.2 MB, MIT) from {server.address}/names.txt into corpora/names.txt"
    )
    assert "is not the text it should be" in last
    assert done.returncode == 1
    Path("corpora/names.txt").write_text("ann\nbea\ncleo\n" * 50)
    assert cli("train", "names", "--records", "line", *SMALL).returncode == 0
    assert cli("corpus", "get", "names").stdout == b"corpora/names.txt\n"
    assert cli("corpus", "get", "nonames").returncode == 1


def test_one_of_two_fetchers_waits(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content[PATH] = TEXT
    notes: list[Any] = []
    waiting = threading.Event()

    def report(event: Any) -> None:
        notes.append(event)
        if event == Note("waiting for another charrnn that is fetching a corpus"):
            waiting.set()

    cache = default_cache().folder
    cache.mkdir(parents=True)
    thread = threading.Thread(
        target=lambda: download.download(entry(), Path("corpora").resolve(), report)
    )
    with held(cache / "fetching"):
        thread.start()
        assert waiting.wait(20)
        assert server.asked == []
    thread.join(20)
    assert Path("corpora/tales.txt").read_bytes() == TEXT


def test_corpora_of_several_files_lie_in_a_folder(server: Server) -> None:
    one = entry().files[0]
    halves = [(name, TEXT[start::2]) for name, start in (("train.txt", 0), ("valid.txt", 1))]
    corpus = catalogue.CatalogueEntry(
        "two",
        "",
        "MIT",
        "",
        tuple(
            CorpusFile(one.url, name, len(half), hashlib.sha256(half).hexdigest())
            for name, half in halves
        ),
    )
    for name, half in halves:
        server.content[f"/mirror/two/{name}"] = half
    whole = server.content.pop("/mirror/two/valid.txt")
    with pytest.raises(CorpusError, match="404"):
        download.download(corpus, Path("corpora"), silent)
    assert not Path("corpora/two").exists()  # half of a corpus is none
    server.content["/mirror/two/valid.txt"] = whole
    assert download.download(corpus, Path("corpora"), silent) == Path("corpora/two")
    assert [path for path, _ in server.asked].count("/mirror/two/train.txt") == 1
    assert everything(Path("corpora")) == ["two", "two/train.txt", "two/valid.txt"]
