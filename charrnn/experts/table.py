"""The trie of counts: which symbols follow each context of a text, and how often.

Node 0 is the root, which stands for the context of no symbols. A node of depth d stands for d
symbols in a row. Its children are the symbols that were seen to follow these, in ascending order.
So after one more symbol v, the context of length k + 1 is the child v of what was the context of
length k: reading a text walks down the trie once for each length, and never searches it from the
root. Nodes are numbered level by level, and the children of one node follow each other.

In shapes, M is the number of nodes, I of those that may have children, K the length of the longest
contexts, V the number of symbols, T of steps and B of streams.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.experts.codes import CODES, COUNT_OF_CODE, bucket_of
from charrnn.experts.rule import BUCKETS

if TYPE_CHECKING:  # the compiled module may be missing
    from charrnn.native import _native

NONE = -1
"""The node of a context that was never seen."""
ROOT = 0

Nodes = NDArray[np.int32]
Recent = NDArray[np.int32]


class Entries(NamedTuple):
    """The counts of what follows some contexts of one length, as three equally long arrays."""

    rows: NDArray[np.int64]
    """Which of the contexts was continued."""
    symbols: NDArray[np.int64]
    """Which symbol continued it."""
    slots: NDArray[np.int64]
    """Where its share stands in a flat table (BUCKETS * CODES,) of this length."""


@dataclass(frozen=True, eq=False)
class Table:
    """What follows the contexts of a text. The arrays must fit each other (experts/layout.py)."""

    vocab_size: int
    """V."""
    order: int
    """K."""
    symbols: NDArray[np.uint16]
    """(M,) the symbol of each node; the root's means nothing."""
    codes: NDArray[np.uint8]
    """(M,) the code of each node's count: how often its symbols stand in the text."""
    first_child: NDArray[np.uint32]
    """(I + 1,) the number of each node's first child; its last is before the next node's first."""
    held_out: NDArray[np.uint8] | None = None
    """(FOLDS, M) the codes of the counts in all folds but one; None: not kept."""

    @cached_property
    def native(self) -> "_native.NgramTable":
        """What our C++ kernels take in its place. Raises ImportError if they were not compiled."""
        from charrnn.native import _native

        return _native.NgramTable(
            order=self.order,
            vocab_size=self.vocab_size,
            symbols=self.symbols,
            codes=self.codes,
            first_child=self.first_child,
            held_out=self.held_out,
        )

    def shortened(self, order: int) -> "Table":
        """The table without contexts of more than `order` symbols."""
        if order >= self.order:
            return self
        inner = ROOT + 1  # nodes of depth 0, ... , order
        for _ in range(order):
            inner = int(self.first_child[inner])
        total = int(self.first_child[inner])
        held_out = self.held_out
        if held_out is not None:
            held_out = np.ascontiguousarray(held_out[:, :total])
        return Table(
            self.vocab_size,
            order,
            self.symbols[:total],
            self.codes[:total],
            self.first_child[: inner + 1],
            held_out,
        )

    def nothing_read(self, batch_size: int) -> Recent:
        """What `batch_size` streams remember that have read nothing: zeros (1, B, K)."""
        return np.zeros((1, batch_size, self.order), np.int32)

    def walk(self, ids: NDArray[Any], recent: Recent, threads: int = 1) -> tuple[Nodes, Recent]:
        """What `walk_in_numpy` returns, by our C++ kernels where they were compiled."""
        try:
            table = self.native
        except ImportError:
            return self.walk_in_numpy(ids, recent)
        nodes = np.empty((*ids.shape, self.order), np.int32)
        after = np.array(recent, np.int32, order="C")
        ids = np.ascontiguousarray(ids, np.int64)
        table.walk(threads=threads, ids=ids, recent=after, nodes=nodes)
        return nodes, after

    def walk_in_numpy(
        self, ids: NDArray[Any], recent: Recent, contexts: Nodes | None = None
    ) -> tuple[Nodes, Recent]:
        """Read ids (T, B): (the context of each length after each, (T, B, K); what is remembered).

        `recent` (1, B, K) holds the last K symbols that were read before, the newest last, each as
        its id + 1; 0 stands for none. An unknown symbol, id V, ends all contexts. `contexts` (B, K)
        are those after `recent`, if they are known: finding them takes K steps.
        """
        if contexts is None:
            nothing = np.full((recent.shape[1], self.order), NONE, np.int32)
            contexts = self._contexts_after(recent[0].T - 1, nothing)[-1]
        return self._contexts_after(ids, contexts), self.remember(ids, recent)

    def remember(self, ids: NDArray[Any], recent: Recent) -> Recent:
        """What is remembered after ids (T, B), where it was `recent` before them; see `walk`."""
        known = np.where(ids[-self.order :] == self.vocab_size, -1, ids[-self.order :])
        return remembered(np.concatenate([recent[0].T - 1, known]), self.order)

    def _contexts_after(self, ids: NDArray[Any], contexts: Nodes) -> Nodes:
        """The contexts (T, B, K) after each of ids (T, B), where they were (B, K) before them."""
        nodes = np.empty((len(ids), *contexts.shape), np.int32)
        for now, symbols in zip(nodes, ids, strict=True):
            shorter = np.insert(contexts[:, :-1], 0, ROOT, axis=1)
            now[:] = contexts = self._children(shorter, symbols[:, None])
        return nodes

    def _children(self, nodes: Nodes, symbols: NDArray[Any]) -> Nodes:
        """The child of each node for a symbol, of arrays that fit each other; NONE if not there."""
        known = nodes >= 0
        low = np.where(known, self.first_child[nodes * known], 0).astype(np.int64)
        end = np.where(known, self.first_child[nodes * known + 1], 0).astype(np.int64)
        high = end
        while (searching := low < high).any():
            middle = (low + high) // 2
            less = searching & (self.symbols[np.minimum(middle, len(self.symbols) - 1)] < symbols)
            low, high = (
                np.where(less, middle + 1, low),
                np.where(less, high, np.minimum(high, middle)),
            )
        found = (low < end) & (self.symbols[np.minimum(low, len(self.symbols) - 1)] == symbols)
        return np.where(found, low, NONE).astype(np.int32)

    def entries(self, nodes: Nodes, folds: NDArray[np.uint8] | None = None) -> Entries:
        """What follows contexts of one length, nodes (N,), some of which may be NONE.

        Without `folds` (N,) all counts are told, else for each context those of all folds but one.
        """
        known = np.flatnonzero(nodes >= 0)
        first = self.first_child[nodes[known]].astype(np.int64)
        lengths = self.first_child[nodes[known] + 1].astype(np.int64) - first
        owners = np.repeat(np.arange(len(known)), lengths)  # of each child, its place in `known`
        starts = np.cumsum(lengths) - lengths
        children = first[owners] + np.arange(len(owners)) - starts[owners]
        if folds is None:
            codes, own = self.codes[children], self.codes[nodes[known]]
        else:
            assert self.held_out is not None
            fold = folds[known]
            codes, own = self.held_out[fold[owners], children], self.held_out[fold, nodes[known]]
        seen = codes > 0
        kinds = np.bincount(owners[seen], minlength=len(known))
        slots = bucket_of(own, kinds)[owners] * CODES + codes
        return Entries(
            known[owners[seen]], self.symbols[children[seen]].astype(np.int64), slots[seen]
        )


def remembered(ids: NDArray[Any], order: int) -> Recent:
    """The last `order` of ids (T, B), T >= `order`, as `Table.walk` takes them: (1, B, K).

    An id of -1 is none, and ends what came before it.
    """
    last = ids[-order:].T if order else ids[:0].T  # (B, K)
    broken = np.logical_or.accumulate((last < 0)[:, ::-1], axis=1)[:, ::-1]
    return np.where(broken, 0, last + 1).astype(np.int32)[None]


def shares_of(weight: NDArray[np.float32], log_offset: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of the logits of every count, (K, BUCKETS, CODES), in float32.

    It is weight * ln(1 + count / e^log_offset) for each length and bucket, (K, BUCKETS) both.
    """
    assert weight.shape[1] == BUCKETS
    ratio = COUNT_OF_CODE / np.exp(log_offset.astype(np.float64))[..., None]
    return (weight.astype(np.float64)[..., None] * np.log1p(ratio)).astype(np.float32)
