"""Packages that charrnn does not need: the command that installs one, and under which name."""

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import charrnn
from charrnn.extras import how_to_install

ROOT = Path(__file__).parent.parent
DISTRIBUTION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "name"
]


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({}, "pip install matplotlib"),
        ({"pyvenv.cfg": "home = /usr/bin\nversion = 3.11.2\n"}, "pip install matplotlib"),
        ({"pyvenv.cfg": "home = /usr/bin\nuv = 0.13.9\n"}, "uv pip install --python {} matplotlib"),
        (
            {"pyvenv.cfg": "uv = 0.13.9\n", "pipx_metadata.json": "{}"},  # pipx may use uv
            "pipx inject char-rnn matplotlib",
        ),
    ],
)
def test_a_missing_package_is_installed_by_what_made_the_environment(
    files: dict[str, str], command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = tmp_path / "char-rnn"
    environment.mkdir()
    for name, content in files.items():
        (environment / name).write_text(content)
    monkeypatch.setattr(sys, "prefix", str(environment))
    assert how_to_install("matplotlib") == command.format(environment)


def test_the_installed_distribution_has_the_version_that_is_printed() -> None:
    assert version(DISTRIBUTION) == charrnn.__version__


def test_nothing_tells_a_user_to_install_the_stranger_that_pypi_calls_charrnn() -> None:
    assert re.sub(r"[-_.]", "", DISTRIBUTION.lower()) != "charrnn"
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "charrnn").rglob("*.py")]
    stranger = re.compile(r"\b(pip|pipx|uv)\b[^\n`]* (install|inject) [^\n`]*\bcharrnn\b(?![-/])")
    told = [str(path) for path in texts if stranger.search(path.read_text(encoding="utf-8"))]
    assert not told
