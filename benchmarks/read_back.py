"""Reading back: how much of a text can be written down again from a model's counts of n-grams.

    python -m benchmarks.read_back TEXT [--order 6 8 10] [--min-count 1] [--private]

Whoever has the counts begins with any context in them and goes on for as long as just one
continuation is kept. Printed is the share of the text that this gives back in runs of 20 characters
or more, with contexts of the greatest length alone and with the longest that are kept, and the
share in runs of 20 that stand in the text only once. What goes on in another way than the text does
is not counted. Of what stands in the text more often, more is read back where rare continuations
are left out: the common one is then the only one.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from benchmarks.command_line import print_table
from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.experts.counted_text import CountedText
from charrnn.experts.counting import count
from charrnn.experts.layout import size_in_file
from charrnn.experts.rule import Rule
from charrnn.experts.table import Table

RUN = 20
"""The fewest characters in a row that count as read back."""
_BLOCK = 1 << 16
"""Places of the text that are looked at in one go."""


def forced(table: Table, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N, K) for each place and context length: how many continuations are kept of the context
    that ends there; -1 in place of 1 if that is not how the text goes on, and at the text's end.
    """
    order = table.order
    before = sliding_window_view(np.concatenate([np.zeros(order, np.int32), ids + 1]), order)
    after = np.concatenate([ids[1:], [-1]])
    kinds = np.zeros((len(ids), order), np.int64)
    for start in range(0, len(ids), _BLOCK):
        block = slice(start, start + _BLOCK)
        recent = np.ascontiguousarray(before[:-1][block], np.int32)[None]
        nodes, _ = table.walk(ids[None, block], recent)
        for length in range(order):
            entries = table.entries(nodes[0, :, length])
            found = np.bincount(entries.rows, minlength=nodes.shape[1])
            last = np.zeros_like(found)
            last[entries.rows] = entries.symbols
            wrong = (found == 1) & (last != after[block])
            kinds[block, length] = np.where(wrong, -1, found)
    return kinds


def runs(kinds: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[tuple[int, int]]:
    """(first, last) character of every run of at least RUN.

    At each place the context of one of `lengths` (N,) is used; where that is 0, none.
    """
    goes_on = (lengths > 0) & (kinds[np.arange(len(kinds)), lengths - 1] == 1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], goes_on, [False]]).astype(np.int8)))
    begins, lasts = edges[::2], edges[1::2]  # a run forces the symbols at begin + 1, ..., last
    firsts = begins - lengths[begins] + 1
    long = lasts - firsts + 1 >= RUN
    return list(zip(firsts[long].tolist(), lasts[long].tolist(), strict=True))


def covered(size: int, found: Iterable[tuple[int, int]]) -> float:
    """The share of a text of `size` characters in the runs that were found."""
    is_covered = np.zeros(size, bool)
    for first, last in found:
        is_covered[first : last + 1] = True
    return float(is_covered.mean())


def shares(table: Table, text: str, ids: NDArray[np.int64]) -> tuple[float, float, float]:
    """The shares of `text` read back: by contexts of K symbols alone, by the longest contexts that
    are kept, and by these in runs of RUN that stand there once.
    """
    kinds = forced(table, ids)
    kept = kinds != 0
    longest = np.where(kept.any(axis=1), table.order - kept[:, ::-1].argmax(axis=1), 0)
    by_greatest = runs(kinds, np.where(kept[:, -1], table.order, 0))
    by_longest = runs(kinds, longest)
    starts = [i for first, last in by_longest for i in range(first, last + 2 - RUN)]
    sought = {text[i : i + RUN] for i in starts}
    spans = (text[i : i + RUN] for i in range(len(text) - RUN + 1))
    times = Counter(span for span in spans if span in sought)
    once = [(i, i + RUN - 1) for i in starts if times[text[i : i + RUN]] == 1]
    return covered(len(text), by_greatest), covered(len(text), by_longest), covered(len(text), once)


def rows(text: str, rules: Sequence[Rule]) -> Iterator[tuple[str | float, ...]]:
    """What each rule keeps of `text`, and how much of it that gives back."""
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    counted = CountedText.of(ContiguousText(ids), len(vocabulary))
    for rule in rules:
        table, _ = count(counted, rule)
        name = f"order {rule.order}, from {rule.min_count} on" + ", private" * rule.private
        percents = (100 * share for share in shares(table, text, ids.astype(np.int64)))
        yield name, size_in_file(table) / 1e6, *percents


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each order."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path, metavar="TEXT")
    parser.add_argument("--order", type=int, nargs="+", default=[6, 8, 10])
    parser.add_argument("--min-count", type=int, default=1)
    parser.add_argument("--private", action="store_true")
    options = parser.parse_args(arguments)
    rules = [Rule(order, options.min_count, options.private) for order in options.order]
    shown = {"greatest %": "10.2f", "longest %": "9.2f", "once %": "6.2f"}
    columns = {"": "28", "MB": "6.2f"} | shown
    title = f"characters read back in runs of {RUN} or more"
    print_table(title, columns, rows(options.text.read_text(encoding="utf-8"), rules))


if __name__ == "__main__":
    main()
