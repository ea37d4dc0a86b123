"""Counting what follows each context: numpy against a plain Counter, and C++ against numpy."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.split import Split
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.windows import FOLDS
from charrnn.experts.codes import COUNT_OF_CODE, LEAST_OF_CODE, code_of
from charrnn.experts.counted_text import BLOCKS, BREAK, NOT_COUNTED, CountedText
from charrnn.experts.counting import count, count_with_numpy
from charrnn.experts.layout import size_in_file
from charrnn.experts.rule import LEAST_LONG, LONG, Rule
from charrnn.experts.table import ROOT, Table
from charrnn.experts.text_counts import TextCounts
from charrnn.native import _native
from tests.conftest import TEXT

Gram = tuple[int, ...]
"""Some ids in a row; all but the last are the context."""

RANDOM = "".join("ab\nc"[i] for i in np.random.default_rng(5).integers(0, 4, 700))
CORPORA: dict[str, tuple[str | bytes, SplitConfig]] = {
    "text": (TEXT[:3000], SplitConfig()),
    "random": (RANDOM, SplitConfig()),
    "records": (TEXT[:3000], SplitConfig(records="line")),
    "random records": (RANDOM, SplitConfig(records="line")),
    "streams": (TEXT[:3000], SplitConfig(split="streams", num_streams=7, stream_unit=11)),
    "bytes": (bytes(range(256)) * 3 + TEXT[:900].encode(), SplitConfig()),
}
RULES = {
    "all": Rule(order=8),
    "short": Rule(order=2),
    "min_count": Rule(order=8, min_count=3),
    "private": Rule(order=7, private=True),
}


def with_numpy(text: CountedText, rule: Rule) -> tuple[Table, int]:
    return count_with_numpy(text, rule, lambda share: None)


def training_split(name: str) -> tuple[Split, int]:
    text, splits = CORPORA[name]
    corpus = EncodedCorpus.from_text(text, name, splits)
    return corpus.split("train"), len(corpus.vocabulary)


def grams_of(split: Split, order: int) -> dict[Gram, Counter[int]]:
    """How often each gram was seen in each fold, told by its last symbol."""
    pieces, grams = split.pieces(), dict[Gram, Counter[int]]()
    before = 0
    for number, (start, stop) in enumerate(zip(pieces.starts, pieces.stops, strict=True)):
        lead = [] if pieces.lead is None else [pieces.lead]
        for first in lead:
            grams.setdefault((first,), Counter())
        ids = [*lead, *(int(i) for i in pieces.ids[start:stop])]
        for place in range(len(lead), len(ids)):
            fold = before * FOLDS // len(split)
            if lead:
                fold = number * FOLDS // len(pieces.starts)
            before += 1
            for context in range(min(order, place) + 1):
                gram = tuple(ids[place - context : place + 1])
                grams.setdefault(gram, Counter())[fold] += 1
    return grams


def expected_codes(grams: dict[Gram, Counter[int]], rule: Rule, raised: int) -> dict[Gram, Any]:
    """(the code of the count, those of the counts in all folds but one) of each gram kept."""

    def least_context(length: int) -> int:
        return max(LEAST_LONG if length >= LONG else 0, raised) if length else 0

    def least(length: int) -> int:
        if rule.private and length:
            return max(2, rule.min_count)
        return rule.min_count if length >= LONG else 0

    kept = {}
    for gram, by_fold in grams.items():
        lengths = range(1, len(gram))  # of the contexts that lead to it
        if any(grams[gram[:k]].total() < least_context(k) for k in lengths):
            continue
        if any(grams[gram[: k + 1]].total() < least(k) for k in range(1, len(gram))):
            continue
        context = len(gram) - 1
        held_out = []
        for fold in range(FOLDS):
            others = by_fold.total() - by_fold[fold]
            if others < least(context):
                others = 0
            above = grams[gram[:-1]] if context else Counter[int]()
            if context and above.total() - above[fold] < least_context(context):
                others = 0
            held_out.append(int(code_of(np.array(others))))
        kept[gram] = (int(code_of(np.array(by_fold.total()))), held_out)
    return kept


def codes_in(table: Table) -> dict[Gram, Any]:
    """(the code of the count, those of the held-out counts) of each gram in a table."""
    assert table.held_out is not None
    found = {}
    level: dict[int, Gram] = {ROOT: ()}
    while level:
        deeper = {}
        for node, gram in level.items():
            if node + 1 < len(table.first_child):
                for child in range(*table.first_child[node : node + 2]):
                    deeper[child] = (*gram, int(table.symbols[child]))
        for node, gram in deeper.items():
            found[gram] = (int(table.codes[node]), table.held_out[:, node].tolist())
        level = deeper
    assert len(found) == len(table.symbols) - 1
    return found


def assert_equal(one: tuple[Table, int], other: tuple[Table, int]) -> None:
    assert one[1] == other[1]
    for name in ("vocab_size", "order"):
        assert getattr(one[0], name) == getattr(other[0], name)
    for name in ("symbols", "codes", "first_child", "held_out"):
        array, peer = getattr(one[0], name), getattr(other[0], name)
        assert array.dtype == peer.dtype, name
        np.testing.assert_array_equal(array, peer, err_msg=name)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("corpus", CORPORA)
def test_the_counts_are_those_of_a_plain_counter(corpus: str, rule: str) -> None:
    split, vocab_size = training_split(corpus)
    table, raised = with_numpy(CountedText.of(split, vocab_size), RULES[rule])
    assert raised == 0
    assert codes_in(table) == expected_codes(grams_of(split, table.order), RULES[rule], raised)


@pytest.mark.parametrize("corpus", ["text", "records", "bytes"])
def test_a_table_that_would_be_too_large_asks_more_of_contexts(corpus: str) -> None:
    split, vocab_size = training_split(corpus)
    text = CountedText.of(split, vocab_size)
    whole = size_in_file(count(text, Rule(order=8))[0])
    rule = Rule(order=8, most_bytes=whole // 5)
    table, raised = with_numpy(text, rule)
    assert raised > 2
    assert size_in_file(table) <= rule.most_bytes
    assert codes_in(table) == expected_codes(grams_of(split, 8), rule, raised)
    assert_equal(count(text, rule), (table, raised))


def test_single_symbols_are_kept_whatever_they_take() -> None:
    ids = np.arange(3000) % 1000
    text = CountedText(
        1000, (ids + 1).astype(np.uint16), (np.arange(3000) // 500).astype(np.uint8), 3000
    )
    for counted in (with_numpy, count):
        table, raised = counted(text, Rule(order=3, most_bytes=100))
        assert len(table.symbols) == 1001
        assert raised > 3


def test_all_of_a_text_is_counted_in_the_order_in_which_it_is_read() -> None:
    for name in CORPORA:
        split, vocab_size = training_split(name)
        text, pieces = CountedText.of(split, vocab_size), split.pieces()
        lead = [] if pieces.lead is None else [pieces.lead]
        expected: list[int] = []
        for start, stop in zip(pieces.starts, pieces.stops, strict=True):
            expected += [
                BREAK,
                *(1 + i for i in lead),
                *(1 + int(i) for i in pieces.ids[start:stop]),
            ]
        assert text.symbols.tolist() == expected
        assert text.num_counted == len(split) == int((text.folds != NOT_COUNTED).sum())


def test_a_long_text_is_counted_in_blocks() -> None:
    split, vocab_size = training_split("text")
    text = CountedText.of(split, vocab_size, most=640)
    blocks = np.split(text.symbols, np.flatnonzero(text.symbols == BREAK))[1:]
    assert len(blocks) == BLOCKS
    assert {len(block) for block in blocks} == {11}
    assert text.num_counted == 640
    whole = CountedText.of(split, vocab_size)
    for number, block in enumerate(blocks):
        first = 1 + number * len(split) // BLOCKS
        np.testing.assert_array_equal(block[1:], whole.symbols[first : first + 10])
    np.testing.assert_array_equal(np.unique(text.folds), [*range(FOLDS), NOT_COUNTED])


def test_what_is_left_out_of_a_table_is_said() -> None:
    split, vocab_size = training_split("text")
    rule = Rule(order=8)
    whole = TextCounts(split)
    table = whole.table(vocab_size, rule)
    assert table is not None
    assert whole.notes(rule) == whole.notes(Rule(order=0)) == ()
    part = TextCounts(split, most=640)
    assert part.table(vocab_size, rule) is not None
    assert part.table(vocab_size, Rule(order=3)) is not None  # made from the other
    expected = (
        f"a long text: of its {len(split):,} characters to train on, the n-grams of 640 are "
        "counted, in 64 parts spread over it",
    )
    assert part.notes(rule) == part.notes(Rule(order=3)) == expected
    small = replace(rule, most_bytes=size_in_file(table) // 5)
    assert whole.table(vocab_size, small) is not None
    _, raised = count(CountedText.of(split, vocab_size), small)
    (note,) = whole.notes(small)
    assert note.startswith(f"contexts of n-grams that occur less than {raised} times are left out")
    assert f"{small.most_bytes:,} bytes (`ngram_size`)" in note


def test_no_record_is_counted_in_part() -> None:
    corpus = EncodedCorpus.from_text(RANDOM * 9, "records", SplitConfig(records="line"))
    split = corpus.split("train")
    text = CountedText.of(split, len(corpus.vocabulary), most=len(split) // 2)
    pieces = split.pieces()
    assert pieces.lead is not None
    records = Counter(
        tuple(pieces.ids[start:stop].tolist())
        for start, stop in zip(pieces.starts, pieces.stops, strict=True)
    )
    taken = np.split(text.symbols, np.flatnonzero(text.symbols == BREAK))[1:]
    assert all(int(record[1]) == pieces.lead + 1 for record in taken)
    counted = Counter(tuple((record[2:] - 1).tolist()) for record in taken)
    assert counted <= records
    assert text.num_counted == sum(len(record) - 2 for record in taken)
    assert len(split) / 4 < text.num_counted < len(split) / 2


def random_text(vocab_size: int, length: int, seed: int) -> CountedText:
    """Phrases that come again and again, with breaks, and with folds as wild as may be."""
    random = np.random.default_rng(seed)
    phrases = [random.integers(1, vocab_size + 1, random.integers(1, 14)) for _ in range(25)]
    chosen = random.integers(0, len(phrases), length)
    symbols = np.concatenate([phrases[i] for i in chosen])[:length].astype(np.uint16)
    symbols[random.random(length) < 0.03] = BREAK
    folds = random.integers(0, FOLDS, length).astype(np.uint8)
    behind_a_break = np.concatenate([[BREAK], symbols[:-1]]) == BREAK
    folds[behind_a_break & (random.random(length) < 0.5)] = NOT_COUNTED
    return CountedText(vocab_size, symbols, folds, length)


# V, N and the order. Grams take one word of the sort or several, and a text of a single symbol or
# none is a text, too.
SHAPES = [
    (1, 40, 6),
    (2, 900, 16),
    (65, 3000, 10),
    (300, 2000, 7),
    (40000, 1500, 9),
    (65535, 700, 16),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("vocab_size", "length", "order"), SHAPES)
def test_native_and_numpy_count_alike(vocab_size: int, length: int, order: int, rule: str) -> None:
    text = random_text(vocab_size, length, seed=length + order)
    kind = RULES[rule]
    for most in (10**7, 4000, 500):
        asked = Rule(order, kind.min_count, kind.private, most)
        assert_equal(count(text, asked), with_numpy(text, asked))


@settings(max_examples=60, deadline=None)
@given(
    symbols=st.lists(st.integers(0, 3), max_size=60),
    folds=st.lists(st.integers(0, FOLDS - 1), min_size=60, max_size=60),
    order=st.integers(1, 16),
    most=st.integers(1, 400),
)
def test_native_and_numpy_count_any_text_alike(
    symbols: list[int], folds: list[int], order: int, most: int
) -> None:
    row = np.array(symbols, np.uint16)
    text = CountedText(3, row, np.array(folds[: len(row)], np.uint8), len(row))
    rule = Rule(order, most_bytes=most)
    assert_equal(count(text, rule, threads=2), with_numpy(text, rule))


def filled(text: CountedText, threads: int) -> list[Any]:
    """All that the compiled counter tells of a text."""
    counter = _native.NgramCounter(
        threads=threads,
        symbols=text.symbols,
        folds=text.folds,
        vocab_size=text.vocab_size,
        num_folds=FOLDS,
        order=6,
    )
    while not counter.sort():
        assert counter.sorted_share() < 1
    least = {"least_contexts": [0, 1, 1, 2, 2, 2, 2], "least_continuations": [1] * 7}
    nodes = counter.count(**least, most=2**31)
    assert nodes is not None
    total = sum(nodes)
    assert counter.count(**least, most=total - 1) is None
    assert counter.count(**least, most=total) == nodes
    arrays: dict[str, Any] = {
        "symbols": np.empty(total, np.uint16),
        "codes": np.empty(total, np.uint8),
        "first_child": np.empty(total - nodes[-1] + 1, np.uint32),
        "held_out": np.empty((FOLDS, total), np.uint8),
    }
    counter.fill(least_of_code=LEAST_OF_CODE, **arrays)
    return [nodes, *(array.tolist() for array in arrays.values())]


@pytest.mark.parametrize("vocab_size", [2, 300, 40000])
def test_the_number_of_threads_does_not_matter(vocab_size: int) -> None:
    text = random_text(vocab_size, 2500, seed=vocab_size)
    assert filled(text, 1) == filled(text, 2) == filled(text, 5)


def test_the_compiled_counter_refuses_what_is_no_text() -> None:
    def begin(symbols: list[int], folds: list[int], **others: Any) -> _native.NgramCounter:
        sizes = {"threads": 1, "vocab_size": 3, "num_folds": FOLDS, "order": 2, **others}
        return _native.NgramCounter(
            symbols=np.array(symbols, np.uint16), folds=np.array(folds, np.uint8), **sizes
        )

    for symbols, folds, others, message in (
        ([1, 4], [0, 0], {}, "no symbol"),
        ([1, 2], [0, 9], {}, "no fold"),
        ([1, 2], [0, NOT_COUNTED], {}, "not counted"),
        ([1, 2], [0], {}, "folds"),
        ([1, 2], [0, 0], {"order": 17}, "17"),
        ([1, 2], [0, 0], {"threads": 0}, "threads"),
    ):
        with pytest.raises(ValueError, match=message):
            begin(symbols, folds, **others)
    counter = begin([1, 2], [0, 0])
    least = {"least_contexts": [0, 0, 0], "least_continuations": [1, 1, 1]}
    with pytest.raises(ValueError, match="not sorted"):
        counter.count(**least, most=9)
    assert counter.sort()
    with pytest.raises(ValueError, match="lower"):
        counter.count(least_contexts=[0, 2, 1], least_continuations=[1, 1, 1], most=9)
    with pytest.raises(ValueError, match="no nodes"):
        counter.fill(
            least_of_code=LEAST_OF_CODE,
            symbols=np.empty(1, np.uint16),
            codes=np.empty(1, np.uint8),
            first_child=np.empty(1, np.uint32),
            held_out=np.empty((FOLDS, 1), np.uint8),
        )


def test_progress_ends_when_all_is_counted() -> None:
    text = random_text(65, 3000, seed=1)
    numpys: list[float] = []
    count_with_numpy(text, Rule(order=4), numpys.append)
    assert numpys == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    natives: list[float] = []
    count(text, Rule(order=4), report=natives.append)
    assert natives == sorted(natives)
    assert natives[-1] == 1.0


def test_a_code_is_exact_up_to_eight_and_near_above() -> None:
    counts = np.array([*range(9), 2**31, 2**32 - 1, *range(9, 5000)])
    told = COUNT_OF_CODE[code_of(counts)]
    np.testing.assert_array_equal(told[:9], range(9))
    assert np.all(np.abs(np.log2(told[9:] / counts[9:])) < 0.2)  # a code spans a quarter
    assert np.all(np.diff(LEAST_OF_CODE) > 0)
    np.testing.assert_array_equal(code_of(LEAST_OF_CODE), range(len(LEAST_OF_CODE)))
