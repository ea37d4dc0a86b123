"""The command line of every benchmark: how much is measured, on which machine, and tables."""

import argparse
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

SIZES = ("toy", "short", "full")


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser that knows --size and shows `description`, a module's docstring, as it stands."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--size",
        choices=SIZES,
        default="full",
        help="how much is measured: toy shows in seconds that the benchmark runs; short takes "
        "less than a minute, on small models and texts; full is what documents quote",
    )
    return parser


def processor() -> str:
    """The processor's name, where Linux tells it in /proc/cpuinfo; or what Python knows of it."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", info.read_text(), re.M) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def print_machine(*others: str) -> None:
    """Print a line that names processor, CPUs, load, Python, and what `others` say."""
    cpus, load = os.cpu_count(), os.getloadavg()[0]
    python = f"Python {platform.python_version()}"
    print(", ".join([processor(), f"{cpus} CPUs", f"load {load:.1f}", python, *others]), flush=True)


def print_table(title: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> None:
    """Print `title`, the headings and each row, as soon as it is measured.

    `columns` holds, by heading, the width and the format of a column: `12` for words, `9,.0f` for
    numbers. The heading stands where the values do: words to the left, numbers to the right. None
    in place of a value, where nothing could be measured, is printed as a dash.
    """
    print(f"\n{title}")
    print(_line((_word(heading, spec) for heading, spec in columns.items())))
    for row in rows:
        cells = zip(row, columns.values(), strict=True)
        print(_line(_word("-", s) if v is None else format(v, s) for v, s in cells), flush=True)


def _word(word: str, spec: str) -> str:
    """`word` where the values of a column stand whose format is `spec`."""
    width = re.findall(r"\d+", spec)[0]
    return format(word, width if width == spec else f">{width}")


def _line(cells: Iterable[str]) -> str:
    return " ".join(cells).rstrip()
