"""The experts' part of a model file, as tensors.

    experts.symbols     (M,)      the symbol of every node, level by level; the root's means nothing
    experts.codes       (M,)      the code of every node's count
    experts.children    (I,)      how many children each node has that may have any
    experts.shares      (K, BUCKETS, CODES) float32: what each count adds to a symbol's logit

Symbols and children are uint8 in a vocabulary of less than 256 symbols, else uint16.
docs/file-formats.md tells a stranger how to compute with them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.experts.codes import CODES
from charrnn.experts.rule import BUCKETS, MOST_SYMBOLS
from charrnn.experts.table import Table

Tensors = Mapping[str, NDArray[Any]]
SYMBOLS, CODES_NAME = "experts.symbols", "experts.codes"
CHILDREN, SHARES = "experts.children", "experts.shares"
COUNTS = (SYMBOLS, CODES_NAME, CHILDREN)
"""Names of the tensors that hold the counts."""
NAMES = (*COUNTS, SHARES)
"""Names of the tensors, beside the parameters, that a model with experts has."""
ANY = None
"""In a shape: an axis of any length."""
Shape = tuple[int | None, ...]
_BLOCK = 1 << 15
"""Nodes that are looked at in one go."""
MOST_NODES = 2**31 - 1
"""Nodes that a table may have: their numbers are 32-bit ones."""


def narrow_type(vocab_size: int) -> str:
    """Numpy's spelling of the type of symbols and children in a file."""
    return "|u1" if vocab_size < 256 else "<u2"


def types_and_shapes(vocab_size: int, order: int) -> dict[str, tuple[str, Shape]]:
    """Each tensor's name -> (numpy's spelling of its type, shape). Raises ValueError if no n-grams
    are counted of so many symbols.
    """
    if vocab_size > MOST_SYMBOLS:
        raise ValueError(f"n-grams of {vocab_size:,} symbols; {MOST_SYMBOLS:,} are the most")
    narrow = narrow_type(vocab_size)
    return {
        SYMBOLS: (narrow, (ANY,)),
        CODES_NAME: ("|u1", (ANY,)),
        CHILDREN: (narrow, (ANY,)),
        SHARES: ("<f4", (order, BUCKETS, CODES)),
    }


def fits(found: tuple[int, ...], shape: Shape) -> bool:
    """Whether a tensor's shape is `shape`."""
    return len(found) == len(shape) and all(
        wanted in (ANY, size) for size, wanted in zip(found, shape, strict=True)
    )


def size_in_file(table: Table) -> int:
    """Bytes that the counts of `table` take in a model file."""
    return size_of_nodes(table.vocab_size, len(table.symbols), len(table.first_child) - 1)


def size_of_nodes(vocab_size: int, nodes: int, inner: int) -> int:
    """Bytes that so many nodes take in a model file, of which `inner` may have children."""
    width = np.dtype(narrow_type(vocab_size)).itemsize
    return nodes * (width + 1) + inner * width


def to_tensors(table: Table, shares: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """The tensors of a table and of the shares (K, BUCKETS, CODES) that its counts have."""
    narrow = np.dtype(narrow_type(table.vocab_size))
    return {
        SYMBOLS: table.symbols.astype(narrow),
        CODES_NAME: table.codes,
        CHILDREN: np.diff(table.first_child).astype(narrow),
        SHARES: shares,
    }


def from_tensors(tensors: Tensors, vocab_size: int, order: int) -> Table:
    """The table that `tensors` hold, which may have more tensors than those.

    Raises ValueError if they fit neither each other nor a model with `vocab_size` symbols and
    contexts of up to `order`. What passes makes nobody who walks it leave its arrays: every child
    is a node one level below its parent.
    """
    for name, (dtype, shape) in types_and_shapes(vocab_size, order).items():
        found = tensors[name]
        if found.dtype.str != dtype or not fits(found.shape, shape):
            raise ValueError(f"{name!r} is {found.dtype} {found.shape}")
    symbols, codes, children = (tensors[name] for name in COUNTS)
    if not 0 < len(symbols) <= MOST_NODES or len(codes) != len(symbols):
        raise ValueError(f"{SYMBOLS!r} and {CODES_NAME!r} do not fit each other")
    if int(children.sum(dtype=np.int64)) != len(symbols) - 1:
        raise ValueError(f"{CHILDREN!r} does not add up to the nodes below the root")
    first_child = np.empty(len(children) + 1, np.uint32)
    first_child[0] = 1
    np.cumsum(children, dtype=np.uint32, out=first_child[1:])
    first_child[1:] += 1
    level, behind = 0, 1  # the nodes of one depth
    for _ in range(order + 1):
        if behind > len(children):
            raise ValueError(f"{CHILDREN!r} is too short")
        level, behind = behind, int(first_child[behind])
    if level != len(children):
        raise ValueError(f"{CHILDREN!r} is too long")
    if len(symbols) > 1 and int(symbols[1:].max()) >= vocab_size:
        raise ValueError(f"{SYMBOLS!r} holds what is no symbol")
    is_first = np.zeros(len(symbols) + 1, bool)  # of its siblings
    for block in range(0, len(first_child), _BLOCK):
        is_first[first_child[block : block + _BLOCK].astype(np.intp)] = True
    if not (is_first[1:-1] | (symbols[:-1] < symbols[1:])).all():
        raise ValueError(f"{SYMBOLS!r} has children of a node that are not in order")
    if int(codes.max()) >= CODES:
        raise ValueError(f"{CODES_NAME!r} holds what is no code")
    return Table(vocab_size, order, symbols.astype(np.uint16), codes, first_child)
