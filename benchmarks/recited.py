"""Reciting: how much of a text stands word for word in the text that a model learned from.

    python -m benchmarks.recited TRAIN_TEXT TEXT... [--val-frac 0.1]

Printed is the share of characters, newlines apart, that a span of so many characters covers which
stands in the training text; no span goes beyond a line. The end of TRAIN_TEXT that training holds
back is no part of the training text, and is judged like any TEXT: an author recites himself, too.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.command_line import print_table

SPANS = (15, 20, 30)
"""Lengths of spans, in characters."""


def spans_of(lines: Iterable[str], length: int) -> Iterator[str]:
    """Every stretch of `length` characters within a line."""
    for line in lines:
        for start in range(len(line) - length + 1):
            yield line[start : start + length]


def recited(train: Sequence[str], text: Sequence[str], length: int) -> float:
    """The share of the characters of `text` that spans of `length` cover which stand in `train`.

    Both are given as lines.
    """
    sought = set(spans_of(text, length))  # of the shorter text, so that the longer takes no memory
    found = sought.intersection(spans_of(train, length))
    covered = 0
    for line in text:
        reach = 0  # behind the last character of this line that is covered
        for start in range(len(line) - length + 1):
            if line[start : start + length] in found:
                covered += start + length - max(reach, start)
                reach = start + length
    return covered / max(1, sum(map(len, text)))


def rows(train: str, texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str | float, ...]]:
    """The name of each text, its characters, and its share for each length of SPANS."""
    learned = train.split("\n")
    for name, text in texts:
        lines = text.split("\n")
        yield name, len(text), *(100 * recited(learned, lines, span) for span in SPANS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("train_text", type=Path, metavar="TRAIN_TEXT")
    parser.add_argument("texts", type=Path, nargs="*", metavar="TEXT")
    parser.add_argument("--val-frac", type=float, default=0.1, help="what training holds back")
    options = parser.parse_args(arguments)
    whole = options.train_text.read_text(encoding="utf-8")
    end = round(len(whole) * (1 - options.val_frac))
    train, held_back = whole[:end], whole[end:]
    texts = [(path.name, path.read_text(encoding="utf-8")) for path in options.texts]
    columns = {"": "24", "characters": "10,.0f"} | {f"{span} %": "6.2f" for span in SPANS}
    title = f"covered by spans that stand in the {len(train):,} characters learned from"
    print_table(title, columns, rows(train, [("held back", held_back), *texts]))


if __name__ == "__main__":
    main()
