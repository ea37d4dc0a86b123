"""Counting: from a text, cut into folds, to the table of what follows its contexts.

A prediction in training must not see its own count: then the net would learn to copy. So the text
is cut into FOLDS pieces, and a prediction sees the counts of all pieces but its own.

It is done in C++ where that was compiled, and in numpy elsewhere, twenty times slower. Both give
the same table.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn import native
from charrnn.corpus.windows import FOLDS
from charrnn.cpus import usable_cpus
from charrnn.experts.codes import LEAST_OF_CODE, code_of
from charrnn.experts.counted_text import BREAK, NOT_COUNTED, CountedText
from charrnn.experts.layout import size_in_file, size_of_nodes
from charrnn.experts.rule import Rule, thresholds
from charrnn.experts.table import NONE, Table

_SORTING = 0.6
"""Share of the time that sorting takes, of counting in C++."""
_ANY = 2**31 - 1
"""A number of nodes that no table has."""
Report = Callable[[float], None]
"""Is told what share of the work is done, from 0 to 1; of numpy's, what share of one more try."""


def count(
    text: CountedText, rule: Rule, *, threads: int | None = None, report: Report | None = None
) -> tuple[Table, int]:
    """(the table of `text` by `rule`, with its held-out counts; how often a context must be seen).

    The latter is 0 unless the whole table would have been larger than the rule allows. C++ uses
    `threads` threads, or as many as this process has CPUs.
    """
    report = report or (lambda share: None)
    if native.is_built():
        return count_with_native(text, rule, threads or usable_cpus(), report)
    return count_with_numpy(text, rule, report)


def _is_least(text: CountedText, raised: int) -> bool:
    """Whether no context is seen so often: then nothing but single symbols is left of the table,
    which are kept whatever they take.
    """
    return raised > len(text.symbols)


def count_with_numpy(text: CountedText, rule: Rule, report: Report) -> tuple[Table, int]:
    """What `count` gives, in numpy."""
    for raised in thresholds():
        table = _count(text, rule, raised, report)
        if size_in_file(table) <= rule.most_bytes or _is_least(text, raised):
            break
    return table, raised


def _count(text: CountedText, rule: Rule, raised: int, report: Report) -> Table:
    """The table where every context must have been seen `raised` times at least."""
    least_contexts, least = rule.least_contexts(raised), rule.least_continuations()
    place_of = np.zeros(len(text.symbols), np.int64)  # the node, in its level, that ends at a place
    inside = np.ones(len(text.symbols), bool)  # whether one does
    own = np.zeros((1, FOLDS + 1), np.int64)  # of each node of the level: by fold, and in all
    symbols: list[NDArray[Any]] = [np.zeros(1)]
    codes: list[NDArray[Any]] = [np.zeros(1)]
    held_out: list[NDArray[Any]] = [np.zeros((FOLDS, 1))]
    children: list[NDArray[np.int64]] = []  # of each node of each level: how many there are
    for length in range(rule.order + 1):
        if length == 0:
            before = np.zeros(len(text.symbols), np.int64)  # the root
        else:
            before = np.concatenate([[NONE], np.where(inside, place_of, NONE)[:-1]])
        enough = own[:, FOLDS] >= least_contexts[length]
        inside = (before >= 0) & (text.symbols != BREAK)
        inside[inside] = enough[before[inside]]
        key = before[inside] * (text.vocab_size + 1) + text.symbols[inside]
        keys, place = np.unique(key, return_inverse=True)
        counted = np.zeros((len(keys), FOLDS + 1), np.int64)
        folds = text.folds[inside]
        target = folds != NOT_COUNTED
        np.add.at(counted, (place[target], folds[target]), 1)
        counted[:, FOLDS] = counted.sum(axis=1)
        # Only a lone node of depth 1 may have the count 0: what begins a record.
        kept = counted[:, FOLDS] >= (least[length] if length else 0)
        number = np.where(kept, np.cumsum(kept) - 1, NONE)
        parents = (keys // (text.vocab_size + 1))[kept]
        children.append(np.bincount(parents, minlength=len(own)))
        others = counted[kept, FOLDS:] - counted[kept, :FOLDS]  # (nodes, FOLDS)
        of_context = own[parents, FOLDS:] - own[parents, :FOLDS]
        hidden = (others < least[length]) | (of_context < least_contexts[length])
        held_out.append(np.where(hidden, 0, code_of(others)).T)
        symbols.append((keys % (text.vocab_size + 1))[kept] - 1)
        codes.append(code_of(counted[kept, FOLDS]))
        place_of = np.full(len(text.symbols), NONE)
        place_of[inside] = number[place]
        inside &= place_of >= 0
        own = counted[kept]
        report((length + 1) / (rule.order + 1))
    return Table(
        vocab_size=text.vocab_size,
        order=rule.order,
        symbols=np.concatenate(symbols).astype(np.uint16),
        codes=np.concatenate(codes).astype(np.uint8),
        first_child=np.cumsum(np.concatenate([[1], *children])).astype(np.uint32),
        held_out=np.ascontiguousarray(np.concatenate(held_out, axis=1).astype(np.uint8)),
    )


def count_with_native(
    text: CountedText, rule: Rule, threads: int, report: Report
) -> tuple[Table, int]:
    """What `count` gives, in C++."""
    from charrnn.native import _native

    counter = _native.NgramCounter(
        threads=threads,
        symbols=text.symbols,
        folds=text.folds,
        vocab_size=text.vocab_size,
        num_folds=FOLDS,
        order=rule.order,
    )
    while not counter.sort():
        report(_SORTING * counter.sorted_share())
    for raised in thresholds():
        least = _is_least(text, raised)
        nodes = counter.count(
            least_contexts=rule.least_contexts(raised),
            least_continuations=rule.least_continuations(),
            most=_ANY if least else rule.most_bytes // 2,  # a node takes two bytes or more
        )
        if nodes is None:
            continue
        total, inner = sum(nodes), sum(nodes[:-1])
        if least or size_of_nodes(text.vocab_size, total, inner) <= rule.most_bytes:
            break
    held_out = np.empty((FOLDS, total), np.uint8)
    table = Table(
        vocab_size=text.vocab_size,
        order=rule.order,
        symbols=np.empty(total, np.uint16),
        codes=np.empty(total, np.uint8),
        first_child=np.empty(inner + 1, np.uint32),
        held_out=held_out,
    )
    counter.fill(
        least_of_code=LEAST_OF_CODE,
        symbols=table.symbols,
        codes=table.codes,
        first_child=table.first_child,
        held_out=held_out,
    )
    report(1.0)
    return table, raised
