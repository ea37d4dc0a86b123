import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.corpus.contiguous import MIN_WINDOWS, ContiguousText
from charrnn.corpus.windows import NOT_COUNTED


def test_windows_follow_each_other_along_every_stream() -> None:
    text = ContiguousText(np.arange(2 * 9 + 1, dtype=np.uint8))
    windows = text.training_windows(batch_size=2, seq_len=3, seed=0)
    assert windows.per_epoch == 3
    first, second, third, again = (windows.next() for _ in range(4))
    assert first.inputs.tolist() == [[0, 9], [1, 10], [2, 11]]
    assert first.targets.tolist() == [[1, 10], [2, 11], [3, 12]]
    assert second.inputs[:, 0].tolist() == [3, 4, 5]
    assert third.targets[-1].tolist() == [9, 18]
    assert [w.fresh for w in (first, second, third, again)] == [True, False, False, True]
    assert again.inputs.tolist() == first.inputs.tolist()
    assert (windows.epoch, windows.position) == (1, 1)


@given(st.integers(2, 5000), st.integers(1, 64), st.integers(1, 128))
def test_shrunk_sizes_always_fill_their_windows(num_ids: int, batch: int, length: int) -> None:
    text = ContiguousText(np.zeros(num_ids, np.uint8))
    batch_size, seq_len = text.fitted_sizes(batch, length)
    assert 1 <= batch_size <= batch
    assert 1 <= seq_len <= length
    assert text.training_windows(batch_size, seq_len, seed=0).per_epoch >= 1
    if (num_ids - 1) // batch >= MIN_WINDOWS * length:
        assert (batch_size, seq_len) == (batch, length)


def test_a_text_shorter_than_a_window_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="do not fill"):
        ContiguousText(np.zeros(10, np.uint8)).training_windows(2, 5, seed=0)


def test_separate_windows_lie_side_by_side_and_the_last_is_read_alone() -> None:
    """Of 19 letters 18 are predicted: 4 in each of 4 windows, 3 of them side by side, and 2."""
    text = ContiguousText(np.arange(19, dtype=np.uint8))
    windows = list(text.separate_windows(seq_len=4, batch_size=3))
    assert [window.inputs.T.tolist() for window in windows] == [
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
        [[12, 13, 14, 15]],
        [[16, 17]],
    ]
    assert all(np.array_equal(window.targets, window.inputs + 1) for window in windows)
    assert all(window.fresh for window in windows)
    even = ContiguousText(np.arange(17, dtype=np.uint8))
    assert len(list(even.separate_windows(seq_len=4, batch_size=3))) == 2


def test_a_sample_is_spread_from_the_first_letter_to_the_last() -> None:
    """3 streams of 2 letters to warm up and 4 that count, in windows of 5 steps."""
    text = ContiguousText(np.arange(39, dtype=np.uint8))
    sample = text.sampled_windows(num_symbols=11, warm_up=2, seq_len=5, batch_size=3)
    assert sample is not None
    begun, ended = sample
    assert begun.inputs.T.tolist() == [
        [0, 1, 2, 3, 4],
        [16, 17, 18, 19, 20],
        [32, 33, 34, 35, 36],
    ]
    assert (begun.targets[:2] == NOT_COUNTED).all()
    assert np.array_equal(begun.targets[2:], begun.inputs[2:] + 1)
    assert ended.targets.tolist() == [[6, 22, 38]]
    assert (begun.fresh, ended.fresh) == (True, False)
    assert begun.characters + ended.characters == 12


@pytest.mark.parametrize(("num_ids", "sampled"), [(19, True), (18, False)])
def test_a_text_that_the_sample_would_fill_is_not_sampled(num_ids: int, sampled: bool) -> None:
    text = ContiguousText(np.zeros(num_ids, np.uint8))
    assert (text.sampled_windows(12, warm_up=2, seq_len=5, batch_size=3) is not None) == sampled
