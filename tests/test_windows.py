"""Windows along the streams of a text, and the place among them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.corpus.windows import MIN_WINDOWS, Windows, fit


def test_windows_follow_each_other_along_every_stream() -> None:
    windows = Windows(np.arange(2 * 9 + 1, dtype=np.uint8), batch_size=2, seq_len=3)
    assert windows.per_epoch == 3
    first, second, third, again = (windows.next() for _ in range(4))
    assert first.inputs.tolist() == [[0, 9], [1, 10], [2, 11]]
    assert first.targets.tolist() == [[1, 10], [2, 11], [3, 12]]
    assert second.inputs[:, 0].tolist() == [3, 4, 5]
    assert third.targets[-1].tolist() == [9, 18]
    assert [w.fresh for w in (first, second, third, again)] == [True, False, False, True]
    assert again.inputs.tolist() == first.inputs.tolist()
    assert (windows.epoch, windows.position) == (1, 1)


def test_position_and_epoch_are_the_whole_state() -> None:
    ids = np.random.default_rng(0).integers(0, 7, 500).astype(np.uint8)
    one, other = Windows(ids, 5, 8), Windows(ids, 5, 8)
    for _ in range(17):
        one.next()
    other.position, other.epoch = one.position, one.epoch
    for _ in range(20):
        assert np.array_equal(one.next().inputs, other.next().inputs)
    assert (one.position, one.epoch) == (other.position, other.epoch)


@given(st.integers(2, 5000), st.integers(1, 64), st.integers(1, 128))
def test_shrunk_sizes_always_fill_their_windows(num_ids: int, batch: int, length: int) -> None:
    batch_size, seq_len = fit(num_ids, batch, length)
    assert 1 <= batch_size <= batch
    assert 1 <= seq_len <= length
    assert Windows(np.zeros(num_ids, np.uint8), batch_size, seq_len).per_epoch >= 1
    if (num_ids - 1) // batch >= MIN_WINDOWS * length:
        assert (batch_size, seq_len) == (batch, length)


def test_a_text_shorter_than_a_window_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="do not fill"):
        Windows(np.zeros(10, np.uint8), 2, 5)
