"""The README and docs/: real flags, links that lead somewhere, lines that fit a screen."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = (
    *(("train",), ("sample",), ("eval",), ("info",), ("list",), ("compare",), ("bench",)),
    *(("corpus", command) for command in ("list", "get", "stats", "cache")),
)
OF_OTHERS = {"--torch-backend"}
"""Flags of other programs that a page names."""


@cache
def help_of_every_command() -> str:
    """What `--help` says, once for each command, in one process that only imports once."""
    program = (
        "import sys\n"
        "from charrnn.cli.main import main\n"
        f"for command in {COMMANDS!r}:\n"
        "    sys.argv = ['charrnn', *command, '--help']\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit:\n"
        "        pass\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    return done.stdout.decode()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_fit_120_columns(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    long = [n for n, line in enumerate(lines, start=1) if len(line) > 120 and line[:1] != "|"]
    assert not long


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    places = [link for link in links if "://" not in link]
    assert not [place for place in places if not (page.parent / place).exists()]


@pytest.mark.parametrize("page", ["README.md", "docs/guide.md", "docs/cells.md"])
def test_every_flag_that_a_user_reads_of_is_real(page: str) -> None:
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (ROOT / page).read_text("utf-8")))
    known = set(re.findall(r"--[a-z][a-z-]+", help_of_every_command()))
    assert len(told) > 5
    assert told - known <= OF_OTHERS
