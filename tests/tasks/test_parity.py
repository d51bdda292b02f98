import numpy as np
import pytest

from hf_lengthgen.tasks import get_task

from .checks import assert_answers_right, assert_relations_hold, golden, relations_determine


def test_examples():
    task = get_task("parity")
    assert task.answer("01101=") == "01001:1"
    assert task.final("01001:1") == "1"
    assert task.lengths(7) == (8, 9)
    plain = get_task("parity", cot=False)
    assert plain.answer("01101=") == plain.final("1") == "1"
    assert plain.lengths(7) == (8, 1)
    assert ":" not in plain.vocabulary


@pytest.mark.parametrize("cot", [True, False])
def test_sampler_agrees_with_the_oracle(cot):
    assert_answers_right(get_task("parity", cot=cot), [1, 2, 3, 12, 100])


def test_three_relations_are_enough_at_any_scale_and_needed():
    task = get_task("parity")
    assert_relations_hold(task, small=range(1, 9), large=[30])
    for left_out in task.ideal_relations:
        rest = [relation for relation in task.ideal_relations if relation != left_out]
        assert not relations_determine(task, rest, range(1, 9))


def test_without_chain_of_thought_no_relations_are_claimed():
    assert get_task("parity", cot=False).ideal_relations == ()


def test_both_answers_are_equally_likely():
    task = get_task("parity", cot=False, hard=0.0)
    ones = (task.sample(20, 10_000, np.random.default_rng(0)).answers == ord("1")).sum()
    assert abs(ones - 5000) < 5 * 50  # five standard deviations


@pytest.mark.parametrize(("cot", "expected"), [(True, "1cdd28b2b0c664a9"), (False, "46d9b2a5c17380d7")])
def test_rows_are_the_same_everywhere(cot, expected):
    assert golden(get_task("parity", cot=cot)) == expected


def test_the_verdict_follows_the_chain_of_thought():
    assert get_task("parity").src_verdict.startswith("constant: ")
    assert get_task("parity", cot=False).src_verdict.startswith("growing: ")
