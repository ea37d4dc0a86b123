"""Counting: from a text, cut into folds, to the table of what follows its contexts.

A prediction in training must not see its own count: then the net would learn to copy. So the text
is cut into FOLDS pieces, and a prediction sees the counts of all pieces but its own.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.windows import FOLDS
from charrnn.experts.codes import code_of
from charrnn.experts.counted_text import BREAK, NOT_COUNTED, CountedText
from charrnn.experts.layout import size_in_file
from charrnn.experts.rule import Rule, thresholds
from charrnn.experts.table import NONE, Table


def count(text: CountedText, rule: Rule) -> tuple[Table, int]:
    """(the table of `text` by `rule`, with its held-out counts; how often a context must be seen).

    The latter is 0 unless the whole table would have been larger than the rule allows.
    """
    for raised in thresholds():
        table = _count(text, rule, raised)
        if size_in_file(table) <= rule.most_bytes:
            return table, raised
    raise AssertionError


def _count(text: CountedText, rule: Rule, raised: int) -> Table:
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
        before = np.concatenate([[NONE], np.where(inside, place_of, NONE)[:-1]])
        if length == 0:
            before = np.zeros(len(text.symbols), np.int64)
        enough = own[:, FOLDS] >= least_contexts[length]
        if length == 0:
            enough[:] = True
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
        if length == 0:
            hidden[:] = False
        held_out.append(np.where(hidden, 0, code_of(others)).T)
        symbols.append((keys % (text.vocab_size + 1))[kept] - 1)
        codes.append(code_of(counted[kept, FOLDS]))
        place_of = np.full(len(text.symbols), NONE)
        place_of[inside] = number[place]
        inside &= place_of >= 0
        own = counted[kept]
    return Table(
        vocab_size=text.vocab_size,
        order=rule.order,
        symbols=np.concatenate(symbols).astype(np.uint16),
        codes=np.concatenate(codes).astype(np.uint8),
        first_child=np.concatenate([[0], np.cumsum(np.concatenate(children))]).astype(np.uint32)
        + 1,
        held_out=np.ascontiguousarray(np.concatenate(held_out, axis=1).astype(np.uint8)),
    )
