import pytest

from hf_lengthgen.tasks import get_task

from .checks import assert_answers_right, assert_relations_hold, golden


def test_examples():
    assert get_task("shift").answer("abcd=") == "bcda"
    assert get_task("shift", k=3).answer("abcd=") == "dabc"
    assert get_task("shift", k=3).answer("ab=") == "ba"
    assert get_task("shift", k=2).lengths(7) == (8, 7)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_sampler_agrees_with_the_oracle(k):
    assert_answers_right(get_task("shift", k=k), [1, 2, 3, 12, 100])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_relations_are_enough_at_any_scale_from_k(k):
    assert_relations_hold(get_task("shift", k=k, symbols="abc"), small=range(k, 9), large=[30])


def test_k_is_checked():
    with pytest.raises(ValueError, match="'k' must be at least 1, got 0"):
        get_task("shift", k=0)


def test_rows_are_the_same_everywhere():
    assert golden(get_task("shift")) == "67913a4e4f0632d3"
