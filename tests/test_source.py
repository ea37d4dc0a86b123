import io
from pathlib import Path

import pytest

from charrnn.corpus.source import library_files, locate, read
from charrnn.errors import CorpusError


def text_of(*paths: Path, as_bytes: bool = False) -> str | bytes:
    return read([locate(str(path)) for path in paths], as_bytes=as_bytes)


def test_a_byte_order_mark_goes_and_crlf_becomes_lf(tmp_path: Path) -> None:
    path = tmp_path / "dos.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert text_of(path) == "one\ntwo\rthree\n"
    assert text_of(path, as_bytes=True) == path.read_bytes()


def test_files_follow_each_other_on_lines_of_their_own(tmp_path: Path) -> None:
    first, second = tmp_path / "b.txt", tmp_path / "a.txt"
    first.write_text("first")
    second.write_text("second")
    assert text_of(first, second) == "first\nsecond"
    assert text_of(first, second, as_bytes=True) == b"firstsecond"


def test_a_folder_gives_its_text_files_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.txt").write_text("b\n")
    (tmp_path / "a.md").write_text("a\n")
    (tmp_path / "c.bin").write_bytes(b"\0\1\2")
    (tmp_path / "d.latin").write_bytes(b"\xe9t\xe9")
    (tmp_path / ".hidden").write_text("hidden\n")
    assert text_of(tmp_path) == "a\nb\n"


def test_a_folder_without_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "c.bin").write_bytes(b"\0\1\2")
    with pytest.raises(CorpusError, match="no text in the folder"):
        text_of(tmp_path)


def test_bytes_that_are_not_utf8_are_named_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"good\nbad \xe9t\n")
    with pytest.raises(CorpusError, match=r"byte 0xe9 at offset 9 \(line 2\); --bytes"):
        text_of(path)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(CorpusError, match="it is empty"):
        text_of(tmp_path / "empty")


def test_stdin_is_read_as_given() -> None:
    stdin = io.BytesIO(b"\xef\xbb\xbfpiped\r\n")
    assert read([locate("-")], as_bytes=False, stdin=stdin) == "piped\n"


def test_a_bare_name_is_also_looked_up_in_corpora(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "tales.txt").write_text("tale\n")
    assert locate("tales").path == Path("corpora/tales.txt")
    assert locate("tales.txt").path == Path("corpora/tales.txt")
    assert locate("tales").stem == "tales"
    with pytest.raises(CorpusError, match="no file or folder 'tale' here or in corpora/"):
        locate("tale")
    with pytest.raises(CorpusError, match="no file or folder"):
        locate("elsewhere/tales")


def test_the_standard_library_is_a_corpus_without_its_tests() -> None:
    source = locate("stdlib")
    assert source.stem == "stdlib"
    parts = {part for path in library_files(source.path) for part in path.parts}
    assert "argparse.py" in parts
    assert "ast.py" in parts
    assert not parts & {"test", "tests", "idle_test", "encodings"}
    text = read([source], as_bytes=False)
    assert isinstance(text, str)
    assert text.isascii()
    assert 4_000_000 < len(text) < 20_000_000
