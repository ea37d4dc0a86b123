"""The tensors of n-gram experts: what was counted survives, and what would mislead is refused."""

import numpy as np
import pytest

from charrnn.experts.layout import (
    CHILDREN,
    CODES_NAME,
    SHARES,
    SYMBOLS,
    from_tensors,
    size_in_file,
    to_tensors,
)
from charrnn.experts.rule import MOST_SYMBOLS
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig
from tests.conftest import random_checkpoint

V, ORDER = 7, 3


def tensors_of(vocab_size: int = V, order: int = ORDER) -> Weights:
    return random_checkpoint(ModelConfig(vocab_size, hidden_size=2, ngram_order=order)).weights


# Contexts a and b of one symbol; a is followed by a and c, b by a. Order 1, so these end there.
#   level 0: the root; level 1: a, b; level 2: aa, ac, ba
SMALL: Weights = {
    SYMBOLS: np.array([0, 0, 1, 0, 2, 0], np.uint8),
    CODES_NAME: np.array([0, 3, 1, 2, 1, 1], np.uint8),
    CHILDREN: np.array([2, 2, 1], np.uint8),
    SHARES: np.zeros((1, 32, 128), np.float32),
}


@pytest.mark.parametrize(("vocab_size", "narrow"), [(7, "uint8"), (255, "uint8"), (256, "uint16")])
def test_a_table_survives_the_round_trip(vocab_size: int, narrow: str) -> None:
    tensors = tensors_of(vocab_size)
    table = from_tensors(tensors, vocab_size, ORDER)
    again = to_tensors(table, tensors[SHARES])
    assert again.keys() < tensors.keys()
    for name, tensor in again.items():
        assert tensor.dtype == tensors[name].dtype
        assert np.array_equal(tensor, tensors[name])
    assert again[SYMBOLS].dtype == again[CHILDREN].dtype == narrow
    assert size_in_file(table) == sum(again[n].nbytes for n in (SYMBOLS, CODES_NAME, CHILDREN))


def test_a_table_may_hold_nothing_but_its_root() -> None:
    tensors: Weights = {
        SYMBOLS: np.zeros(1, np.uint8),
        CODES_NAME: np.zeros(1, np.uint8),
        CHILDREN: np.zeros(1, np.uint8),
        SHARES: np.zeros((ORDER, 32, 128), np.float32),
    }
    table = from_tensors(tensors, V, ORDER)
    nodes, _ = table.walk(np.array([[0], [6]]), table.nothing_read(1))
    assert (nodes == -1).all()
    assert table.native is not None


def changed(name: str, **values: int) -> Weights:
    """SMALL with other values at some places of one tensor."""
    tensor = SMALL[name].copy()
    for place, value in values.items():
        tensor[int(place[1:])] = value
    return {**SMALL, name: tensor}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (changed(CHILDREN, _0=3), "'experts.children' does not add up"),
        (changed(CHILDREN, _2=0), "'experts.children' does not add up"),
        ({**SMALL, CHILDREN: np.array([2, 3], np.uint8)}, "'experts.children' is too short"),
        ({**SMALL, CHILDREN: np.array([2, 2, 0, 1], np.uint8)}, "'experts.children' is too long"),
        (changed(CHILDREN, _0=5, _1=0, _2=0), "'experts.children' is too short"),
        (changed(CHILDREN, _0=1, _1=4, _2=0), "'experts.children' is too long"),
        ({**SMALL, CHILDREN: np.array([], np.uint8)}, "'experts.children' does not add up"),
        ({**SMALL, CHILDREN: np.array([5] + [0] * 5, np.uint8)}, "not in order"),
        (changed(SYMBOLS, _4=3), "'experts.symbols' holds what is no symbol"),
        (changed(SYMBOLS, _2=0), "not in order"),
        (changed(SYMBOLS, _3=2), "not in order"),
        (changed(CODES_NAME, _0=128), "'experts.codes' holds what is no code"),
        (changed(CODES_NAME, _5=255), "'experts.codes' holds what is no code"),
        ({**SMALL, CODES_NAME: SMALL[CODES_NAME][:-1]}, "do not fit each other"),
        ({**SMALL, SYMBOLS: SMALL[SYMBOLS][:0], CODES_NAME: SMALL[CODES_NAME][:0]}, "do not fit"),
        ({**SMALL, SYMBOLS: SMALL[SYMBOLS].astype(np.uint16)}, "'experts.symbols' is uint16"),
        ({**SMALL, CHILDREN: SMALL[CHILDREN][None]}, r"'experts.children' is uint8 \(1, 3\)"),
        ({**SMALL, SHARES: np.zeros((1, 32, 127), np.float32)}, "'experts.shares' is float32"),
        ({**SMALL, SHARES: np.zeros((1, 32, 128))}, "'experts.shares' is float64"),
    ],
)
def test_tensors_that_are_no_table_are_refused(tensors: Weights, message: str) -> None:
    assert from_tensors(SMALL, 3, 1).native is not None
    with pytest.raises(ValueError, match=message):
        from_tensors(tensors, 3, 1)


def test_children_whose_sum_would_overflow_are_refused() -> None:
    children = np.array([65_535] * 65_537 + [4], np.uint16)
    assert int(children.sum(dtype=np.uint32)) == 3  # as many as there are nodes below the root
    tensors: Weights = {
        SYMBOLS: np.zeros(4, np.uint16),
        CODES_NAME: np.zeros(4, np.uint8),
        CHILDREN: children,
        SHARES: np.zeros((1, 32, 128), np.float32),
    }
    with pytest.raises(ValueError, match=r"'experts.children' does not"):
        from_tensors(tensors, 300, 1)


def test_no_table_has_more_symbols_than_its_numbers_can_tell_apart() -> None:
    with pytest.raises(ValueError, match="n-grams of 65,536 symbols; 65,535 are the most"):
        from_tensors(SMALL, MOST_SYMBOLS + 1, 1)


@pytest.mark.parametrize("vocab_size", [V, 300])
def test_whatever_table_loads_is_walked_within_its_arrays(vocab_size: int) -> None:
    """Our C++ checks a table once more; where both walk it they see the same."""
    random = np.random.default_rng(0)
    good = tensors_of(vocab_size)
    loaded = refused = 0
    for _ in range(300):
        tensors = dict(good)
        for _ in range(random.integers(1, 3)):
            damage(tensors, random)
        try:
            table = from_tensors(tensors, vocab_size, ORDER)
        except ValueError:
            refused += 1
            continue
        loaded += 1
        ids = random.integers(0, vocab_size + 1, (20, 3))
        recent = table.nothing_read(3)
        nodes, after = table.walk(ids, recent.copy())
        native = np.empty_like(nodes)
        table.native.walk(threads=1, ids=ids, recent=recent, nodes=native)
        assert np.array_equal(native, nodes)
        assert np.array_equal(recent, after)
        for length in range(ORDER):
            table.entries(nodes[..., length].ravel())
    assert min(loaded, refused) > 20


def damage(tensors: Weights, random: np.random.Generator) -> None:
    """Change, swap, move or remove something in one of the tensors."""
    name = random.choice([SYMBOLS, CODES_NAME, CHILDREN])
    tensor = tensors[name].copy()
    at, other = random.integers(0, len(tensor), 2)
    match random.integers(0, 4):
        case 0:
            tensor[at] = random.choice([0, 1, 6, 127, 128, 255])
        case 1:
            tensor[[at, other]] = tensor[[other, at]]
        case 2 if tensor[at] > 0:  # the sum stays as it is
            tensor[at] -= 1
            tensor[other] += 1
        case _:
            tensor = tensor[:at]
    tensors[name] = tensor
