"""Characters and bytes as ids, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import VocabularyError

utf8_text = st.text(st.characters(codec="utf-8"), min_size=1)


def test_characters_are_numbered_by_code_point() -> None:
    vocabulary = Vocabulary.from_text("née\n😀ab")
    assert vocabulary.characters == "\nabené😀"
    assert vocabulary.encode("😀\nn").tolist() == [6, 0, 4]


@given(utf8_text)
def test_text_survives_the_round_trip(text: str) -> None:
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert vocabulary.decode_bytes(ids) == text.encode()


@given(st.binary(min_size=1))
def test_bytes_survive_the_round_trip(data: bytes) -> None:
    vocabulary = Vocabulary.from_text(data)
    assert vocabulary.is_bytes
    assert vocabulary.decode_bytes(vocabulary.encode(data)) == data


def test_ids_in_the_smallest_type_decode_where_every_byte_is_a_symbol() -> None:
    """A file of ids has them as uint8, in which the unknown id 256 has no place."""
    data = bytes(range(256))
    ids = np.arange(256, dtype=np.uint8)
    assert Vocabulary.from_text(data).decode_bytes(ids) == data


def test_ids_take_the_smallest_type_that_also_holds_the_unknown_id() -> None:
    for size, dtype in ((255, np.uint8), (256, np.uint16), (70000, np.uint32)):
        vocabulary = Vocabulary("".join(map(chr, range(0x10000, 0x10000 + size))))
        assert vocabulary.encode(chr(0x10000 + size - 1)).dtype == dtype
        assert vocabulary.encode("a", "replace").tolist() == [size]


def test_one_hot_vectors_are_real_and_the_unknown_one_is_empty() -> None:
    vocabulary = Vocabulary("abc")
    hot = vocabulary.one_hot([[1, 0], [2, vocabulary.unknown_id]])
    assert hot.dtype == np.float32
    assert hot.tolist() == [[[0, 1, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, 0]]]


def test_unknown_characters_are_an_error_unless_asked_otherwise() -> None:
    vocabulary = Vocabulary("abc")
    with pytest.raises(VocabularyError, match=r"no character 'é' .*\(3 characters\); `unknown`"):
        vocabulary.encode("abé")
    with pytest.raises(VocabularyError, match="no character '!'"):
        vocabulary.encode("a!")
    assert vocabulary.encode("a!bé", "skip").tolist() == [0, 1]
    assert vocabulary.encode("a!bé", "replace").tolist() == [0, 3, 1, 3]


def test_a_model_that_knows_the_replacement_character_reads_unknown_ones_as_that() -> None:
    vocabulary = Vocabulary("abc\ufffd")
    assert vocabulary.unknown_id == 3
    assert vocabulary.encode("aé\ufffd", "replace").tolist() == [0, 3, 3]
    assert vocabulary.encode("aé\ufffd", "skip").tolist() == [0, 3]
    with pytest.raises(VocabularyError, match="no character 'é'"):
        vocabulary.encode("aé\ufffd")


def test_an_unknown_byte_is_named_as_a_byte() -> None:
    with pytest.raises(VocabularyError, match="no byte 0xff"):
        Vocabulary.from_text(b"abc").encode(b"\xff")


def test_byte_mode_reads_text_as_utf8() -> None:
    vocabulary = Vocabulary.from_text("é".encode())
    assert vocabulary.encode("é").tolist() == [1, 0]
    assert vocabulary.decode([1, 0]) == "é"
    assert vocabulary.decode([0]) == "\ufffd"


@pytest.mark.parametrize("characters", ["", "ba", "aa"])
def test_characters_that_are_not_sorted_and_distinct_are_refused(characters: str) -> None:
    with pytest.raises(VocabularyError):
        Vocabulary(characters)


def test_a_byte_vocabulary_has_no_code_point_above_255() -> None:
    with pytest.raises(VocabularyError, match="not a byte value"):
        Vocabulary("aĀ", is_bytes=True)


def test_a_text_begins_after_a_newline_if_the_model_knows_one() -> None:
    assert Vocabulary("\nab").start().tolist() == [0]
    assert Vocabulary("ab").start().tolist() == [2]
