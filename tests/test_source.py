"""Which files a name, a folder or a pattern stands for."""

import os
import re
from pathlib import Path
from typing import NoReturn

import pytest

from charrnn.corpus.progress import Meter, silent
from charrnn.corpus.source import Source, library_files, list_files, locate, name_of
from charrnn.corpus.text import read_text
from charrnn.corpus.text_config import TextConfig
from charrnn.errors import CorpusError


def names_in(
    *arguments: str, include: list[str] | None = None, exclude: list[str] | None = None
) -> tuple[list[str], tuple[str, ...]]:
    def no_spool(source: Source) -> NoReturn:
        raise AssertionError(source)

    listing = list_files([locate(a) for a in arguments], no_spool, include or [], exclude or [])
    return [os.path.relpath(file.path) for file in listing.files], listing.passed_over


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for path in ("a/b.txt", "a/deep/c.c", "a.md", "z.c", "node_modules/x.c", ".git/x.c", ".hidden"):
        (tmp_path / "notes" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "notes" / path).write_text(f"{path}\n")
    return tmp_path / "notes"


def test_a_folder_is_read_in_the_order_of_its_paths_without_what_is_hidden(notes: Path) -> None:
    found, _ = names_in("notes")
    assert found == [
        f"notes/{path}" for path in ("a/b.txt", "a/deep/c.c", "a.md", "node_modules/x.c", "z.c")
    ]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*.c"], [], ["a/deep/c.c", "node_modules/x.c", "z.c"]),
        (["*.c"], ["node_modules"], ["a/deep/c.c", "z.c"]),
        (["*.c", "*.md"], ["a/*"], ["a.md", "node_modules/x.c", "z.c"]),
        (["a/deep/*"], [], ["a/deep/c.c"]),
        ([], ["*.c"], ["a/b.txt", "a.md"]),
    ],
)
def test_patterns_pick_files_by_name_or_path(
    include: list[str], exclude: list[str], expected: list[str], notes: Path
) -> None:
    found, _ = names_in("notes", include=include, exclude=exclude)
    assert found == [f"notes/{path}" for path in expected]


def test_a_pattern_that_picks_nothing_is_an_error(notes: Path) -> None:
    with pytest.raises(CorpusError, match=r"no file there matches `include` '\*\.py'"):
        names_in("notes", include=["*.py"])


def test_a_glob_takes_the_files_that_match(notes: Path) -> None:
    assert names_in("notes/*.[cm]*")[0] == ["notes/a.md", "notes/z.c"]
    deep = ["notes/a/deep/c.c", "notes/node_modules/x.c", "notes/z.c"]
    assert names_in("notes/**/*.c")[0] == deep
    assert locate("notes/**/*.c").stem == "notes"
    with pytest.raises(CorpusError, match=r"no file matches 'notes/\*\.py'"):
        locate("notes/*.py")
    (notes / "what?.txt").write_text("a name, not a pattern\n")
    assert locate("notes/what?.txt").kind == "file"


def test_links_that_lead_round_and_pipes_are_passed_over(notes: Path) -> None:
    (notes / "a" / "round").symlink_to(notes)
    (notes / "link.txt").symlink_to(notes / "a.md")
    os.mkfifo(notes / "pipe")
    found, passed_over = names_in("notes")
    assert "notes/link.txt" in found
    assert len(found) == 6
    assert sorted(passed_over) == ["notes/a/round", "notes/pipe"]


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


def test_many_sources_have_a_short_name(notes: Path) -> None:
    sources = [locate(f"notes/{name}") for name in ("a.md", "z.c", "a/b.txt", "a/deep/c.c")]
    assert name_of(sources[:3]) == "a, z, b"
    assert name_of(sources) == "a and 3 more"


def test_the_standard_library_is_a_corpus_without_its_tests() -> None:
    source = locate("stdlib")
    assert source.stem == "stdlib"
    parts = {part for path in library_files(source.path) for part in path.parts}
    assert "argparse.py" in parts
    assert "ast.py" in parts
    assert not parts & {"test", "tests", "idle_test", "encodings"}


def test_what_is_read_is_where_it_says(notes: Path) -> None:
    listing = list_files([locate("notes")], lambda source: pytest.fail(str(source)))
    chunks = read_text(listing.files, TextConfig(), Meter("", None, silent))
    text = b"".join(chunk.data for chunk in chunks).decode()
    assert re.findall(r"\S+", text) == [os.path.relpath(f.path, notes) for f in listing.files]


def test_a_name_of_another_file_in_the_folder_is_meant_only_if_it_is_alike(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with a long name"
    folder.mkdir()
    (folder / "o").touch()
    with pytest.raises(CorpusError) as unlike:
        locate(str(folder / "notes"))
    assert "did you mean" not in str(unlike.value)
    (folder / "note").touch()
    with pytest.raises(CorpusError, match=r"did you mean '.*/a folder with a long name/note'\?"):
        locate(str(folder / "notes"))
