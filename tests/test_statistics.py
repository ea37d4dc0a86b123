"""The figures of a text: its entropies, and what compressors make of it."""

import bz2
import json
import math
import random
from collections import Counter
from pathlib import Path

import pytest

from charrnn.corpus import statistics
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.ids_file import EncodedText
from charrnn.corpus.progress import silent
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.statistics import describe, measure_marks
from tests.conftest import TEXT, Run


def encoded(text: str | bytes) -> EncodedText:
    corpus = EncodedCorpus.from_text(text, "text", SplitConfig())
    return EncodedText(corpus.vocabulary, corpus.ids, corpus.sha256)


def test_entropies_are_what_their_definition_says() -> None:
    draw = random.Random(0)
    text = "".join(draw.choices("aébß😀", weights=(9, 4, 3, 2, 1), k=3000))
    found = describe(encoded(text), silent)
    assert (found.num_symbols, found.num_bytes) == (3000, len(text.encode()))
    assert found.vocab_size == 5
    for order, entropy in enumerate(found.entropies):
        grams = Counter(text[i : i + order + 1] for i in range(len(text) - order))
        contexts = Counter(text[i : i + order] for i in range(len(text) - order))
        expected = (
            -sum(count * math.log2(count / contexts[gram[:-1]]) for gram, count in grams.items())
            / grams.total()
        )
        assert entropy == pytest.approx(expected, rel=1e-9)
    assert len(found.entropies) == 4


def test_compressors_read_the_text_itself() -> None:
    for text, data in ((TEXT, TEXT.encode()), (b"\xff\0" * 999, b"\xff\0" * 999)):
        found = describe(encoded(text), silent)
        assert found.compressed["bz2"] == 8 * len(bz2.compress(data)) / len(text)
        assert found.compressed["xz"] < 2


def test_the_marks_of_a_run_are_figures_of_the_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    found, marks = describe(encoded(TEXT), silent), measure_marks(encoded(TEXT))
    assert marks.order0_bits == pytest.approx(found.entropies[0])
    assert marks.compressed_bits == found.compressed[marks.compressor]
    assert marks.compressed_bits == min(found.compressed.values())
    words = "".join(f"{prefix}{number:05}\n" for prefix in "xyz" for number in range(9000))
    assert measure_marks(encoded(words)).compressor == "xz"
    monkeypatch.setattr(statistics, "MARKS_SAMPLE", 1000)
    assert measure_marks(encoded(TEXT)) == measure_marks(encoded(TEXT[:1000])) != marks


def test_a_long_text_is_measured_on_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "SAMPLE", 1000)
    monkeypatch.setattr(statistics, "BLOCK", 300)
    found = describe(encoded(TEXT), silent)
    start = describe(encoded(TEXT[:1000]), silent)
    assert found.sample_size == 1000
    assert found.num_bytes == len(TEXT)
    assert found.entropies == pytest.approx(start.entropies)
    assert found.compressed == start.compressed


def test_the_corpus_commands_show_statistics_texts_and_the_cache(cli: Run, text_file: Path) -> None:
    found = json.loads(cli("corpus", "stats", "-", "--json", stdin=TEXT.encode()).stdout)
    assert found["num_symbols"] == len(TEXT)
    assert found["plan"]["model"]["vocab_size"] == len(set(TEXT))
    shown = cli("corpus", "stats", text_file.name).stdout.decode()
    assert "train would choose" in shown
    assert "gru 1x" in shown
    assert f"{len(TEXT):,} characters" in shown
    assert found["sha256"] in shown
    assert "the mark to beat" in shown
    listed = [json.loads(line) for line in cli("corpus", "list", "--json").stdout.splitlines()]
    assert {one["name"] for one in listed} >= {"shakespeare", "text8", "names"}
    assert not any(one["here"] for one in listed)
    kept = [json.loads(line) for line in cli("corpus", "cache", "--json").stdout.splitlines()]
    assert {one["num_ids"] for one in kept} == {len(TEXT)}
    assert b"removed from" in cli("corpus", "cache", "--clear").stdout
    assert b"nothing is kept" in cli("corpus", "cache").stderr
