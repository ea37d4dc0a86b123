"""Where texts end and what they may hold: held to `re` and to str.find."""

import re
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import UsageError
from charrnn.inference.native_network import NativeNetwork
from charrnn.inference.numpy_network import NumpyNetwork
from charrnn.model import checkpoint
from charrnn.sampling import limits
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.expression import DEAD, POSIX_CLASSES, Expression
from charrnn.sampling.place import Place
from charrnn.sampling.texts import Texts

LOADED = checkpoint.read(Path(__file__).parent / "fixtures" / "prose.safetensors")
NETWORK = NativeNetwork(LOADED.config, LOADED.weights, "int8")
START = Place.after(NETWORK, LOADED.vocabulary.start())


def finished(network: Any = NETWORK, **options: Any) -> tuple[list[str], list[str]]:
    """Texts written within limits, and the reason why each of them ended."""
    config = SamplingConfig(**{"seed": 0, "length": 60, **options})
    texts = Texts(network, LOADED.vocabulary, START, config, keep=True)
    for _ in texts:
        pass
    return [LOADED.vocabulary.decode(ids) for ids in texts.whole()], list(texts.reasons())


def expressions() -> st.SearchStrategy[str]:
    """Expressions that hold all kinds of syntax."""
    symbol = st.sampled_from(["a", "e", "t", "T", r"\.", ":", " ", r"\n", ".", r"\w", r"\W", r"\d"])
    sets = st.sampled_from(["[a-z]", "[^a-z]", "[A-Z ]", r"[\s,]", "[^\n]", "(?i:the)", "(?s:.)"])
    bounds = st.tuples(st.integers(0, 3), st.integers(0, 3))
    repeats = st.one_of(
        st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,}"]),
        bounds.map(lambda pair: f"{{{pair[0]},{sum(pair)}}}"),
    )

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        grouped = inner.map(lambda text: f"(?:{text})")
        return st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(grouped, repeats).map("".join),
            st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        )

    return st.recursive(st.one_of(symbol, sets), larger, max_leaves=12)


@settings(max_examples=50, deadline=None)
@given(pattern=expressions(), seed=st.integers(0, 99), numpy=st.booleans())
def test_every_text_matches_whatever_the_expression(pattern: str, seed: int, numpy: bool) -> None:
    network = NumpyNetwork(LOADED.config, LOADED.weights, "int8") if numpy else NETWORK
    texts, reasons = finished(network, match=pattern, seed=seed, samples=3)
    for text, reason in zip(texts, reasons, strict=True):
        assert re.fullmatch(pattern, text), (pattern, text)
        assert len(text) <= 60
        assert reason == "match" or len(text) == 60


@settings(max_examples=200, deadline=None)
@given(pattern=expressions(), text=st.text("aetT.: \n9,é", max_size=6))
def test_an_expression_accepts_what_re_does(pattern: str, text: str) -> None:
    vocabulary = Vocabulary("".join(sorted("aetT.: \n9,é")))
    expression = Expression(pattern, vocabulary)
    state = 0
    for symbol in vocabulary.encode(text):
        state = expression.step(state, int(expression.symbol_class[symbol]))
        if state == DEAD:
            break
    matches = state != DEAD and expression.accepts(state)
    assert matches == (re.fullmatch(pattern, text) is not None)


def test_in_byte_mode_an_expression_reads_the_bytes_of_utf_8() -> None:
    vocabulary = Vocabulary.from_text("né: ".encode())
    expression = Expression("é+", vocabulary)
    state = 0
    for symbol in vocabulary.encode("é"):
        state = expression.step(state, int(expression.symbol_class[symbol]))
    assert expression.accepts(state)


@pytest.mark.parametrize("name", POSIX_CLASSES)
def test_what_is_told_in_place_of_a_posix_class_is_that_class_in_ascii(name: str) -> None:
    members = {
        "blank": " \t",
        "cntrl": "".join(map(chr, (*range(32), 127))),
        "graph": string.digits + string.ascii_letters + string.punctuation,
        "print": string.digits + string.ascii_letters + string.punctuation + " ",
        "alnum": string.digits + string.ascii_letters,
        "alpha": string.ascii_letters,
        "digit": string.digits,
        "lower": string.ascii_lowercase,
        "punct": string.punctuation,
        "space": string.whitespace,
        "upper": string.ascii_uppercase,
        "word": string.digits + string.ascii_letters + "_",
        "xdigit": string.hexdigits,
    }
    written = re.compile(POSIX_CLASSES[name], re.ASCII)
    assert {c for c in map(chr, range(128)) if written.fullmatch(c)} == set(members[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"match": "a(?=b)b"}, "lookaround"),
        ({"match": r"(?<!a)b"}, "lookaround"),
        ({"match": r"(a)\1"}, "a back-reference"),
        ({"match": r"a++b"}, "a possessive repeat"),
        ({"match": r"a\bb"}, "word boundary"),
        ({"match": "(a"}, "missing \\)"),
        ({"match": "(" * 5000 + ")" * 5000}, "nested too deeply|too many"),
        ({"match": "a☃"}, "cannot spell it"),
        ({"match": "a", "forbid": "a"}, "without those of `forbid`, cannot spell it"),
        ({"match": "(a)(?(1)b)"}, "a condition on a group"),
        ({"match": "(?>a)"}, "an atomic group"),
        ({"match": "[^a[:space:]]"}, r"no \[:space:\]; for \[\[:space:\]\] write \\s"),
        ({"match": "a{61}"}, "`length` 60: `match` needs at least 61 characters"),
        ({"match": "(a{1000}){1000}"}, "too large"),
        ({"match": "[ab]*a[ab]{40}"}, "too large"),
        ({"stop": ("☃",)}, "`stop` '☃': the model does not know '☃'"),
        ({"stop": ("ab",), "forbid": "b"}, "`stop` 'ab': `forbid` rules it out"),
        ({"lines": 1, "forbid": "\n"}, "`lines`: `forbid` rules it out"),
        ({"forbid": LOADED.vocabulary.characters}, "every character"),
        ({"stop": ("",)}, "`stop` ''"),
        ({"lines": 0}, "`lines` 0"),
        ({"keep_stop": True}, "no `stop` to keep"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused_by_name(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        finished(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"match": "the end"}, "`match` 'the end': the expression is too large"),
        ({"lines": 30}, "`lines` 30: too many to count"),
        ({"stop": ("the end",)}, "`stop`: the strings are too long"),
    ],
)
def test_a_table_that_would_be_too_large_is_refused_by_the_option_that_made_it_so(
    options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_ENTRIES", 20)
    with pytest.raises(UsageError, match=message):
        finished(**options)


def test_a_text_that_has_begun_to_count_can_finish_within_its_length() -> None:
    pattern = r"(?:[a-z]{7}[.!?]\n)+"
    for length in (9, 17, 18, 26, 27):
        texts, reasons = finished(match=pattern, length=length, samples=9)
        assert {len(text) for text in texts} == {length // 9 * 9}
        assert all(re.fullmatch(pattern, text) for text in texts)
        assert set(reasons) == {"length" if length % 9 == 0 else "match"}


@settings(max_examples=60, deadline=None)
@given(
    stops=st.lists(st.text("eth \nas", min_size=1, max_size=3), min_size=1, max_size=4),
    lines=st.one_of(st.none(), st.integers(1, 4)),
    keep=st.booleans(),
    seed=st.integers(0, 9),
)
def test_stops_and_lines_cut_the_text_that_would_have_been(
    stops: list[str], lines: int | None, keep: bool, seed: int
) -> None:
    (whole,), _ = finished(length=300, seed=seed)
    ends = [
        (end, "stop", len(stop))
        for stop in stops
        for end in range(len(stop), len(whole) + 1)
        if whole.endswith(stop, 0, end)
    ]
    if lines is not None:
        newlines = [i + 1 for i, character in enumerate(whole) if character == "\n"]
        ends += [(end, "lines", 0) for end in newlines[lines - 1 : lines]]
    options: Any = {"length": 300, "seed": seed, "stop": tuple(stops), "lines": lines}
    (text,), (reason,) = finished(**options, keep_stop=keep)
    if not ends:
        assert (text, reason) == (whole, "length")
        return
    end = min(ends)[0]
    length = max((length for at, kind, length in ends if at == end), default=0)
    assert reason == ("stop" if length else "lines")
    assert text == whole[: end if keep else end - length]


def test_what_stands_before_a_stop_matches_too() -> None:
    texts, reasons = finished(match="[a-z ]{3,}", stop=("e ", "ed"), samples=30, length=40)
    assert set(reasons) == {"stop", "length"}
    for text in texts:
        assert re.fullmatch("[a-z ]{3,}", text)
        assert not re.search("e |ed", text)
    kept, _ = finished(match="[a-z ]{3,}ed", stop=("ed",), keep_stop=True, samples=30, length=400)
    assert all(re.fullmatch("[a-z ]+ed", text) for text in kept)


def test_what_is_shown_is_never_taken_back() -> None:
    """Each piece is final; together they are the whole."""
    config = SamplingConfig(3, length=400, samples=5, stop=("the n",))
    texts = Texts(NETWORK, LOADED.vocabulary, START, config, keep=True)
    shown = [""] * 5
    for pieces in texts:
        for sample, ids in enumerate(pieces):
            shown[sample] += LOADED.vocabulary.decode(ids)
            assert "the n" not in shown[sample]
    assert shown == [LOADED.vocabulary.decode(ids) for ids in texts.whole()]


@pytest.mark.parametrize("by_record", [False, True])
def test_bits_per_char_and_the_place_after_are_those_of_each_text(by_record: bool) -> None:
    newline = int(LOADED.vocabulary.start()[0])
    place = replace(START, record_end=newline if by_record else None)
    config = SamplingConfig(1, length=90, samples=4, stop=("ee",))
    texts = Texts(NETWORK, LOADED.vocabulary, place, config, keep=True)
    for _ in texts:
        pass
    assert any(newline in ids[:-1] for ids in texts.whole())
    for ids, bits_per_char in zip(texts.whole(), texts.bits_per_char(), strict=True):
        state, last, cost = START.state, newline, 0.0
        for symbol in ids:
            if by_record and last == newline:
                state = NETWORK.initial_state(1)
            logits, state = NETWORK.step(np.array([last]), state)
            logits = logits[0].astype(np.float64)
            cost += np.log2(np.exp(logits - logits[symbol]).sum())
            last = int(symbol)
        assert bits_per_char == pytest.approx(cost / len(ids), rel=1e-5)
        after = place.then(NETWORK, ids)
        assert after.last == last
        if not (by_record and last == newline):
            np.testing.assert_array_equal(after.state[0], state[0])
