import numpy as np

from hf_lengthgen.tasks import get_task

from .contract import TaskContract


class TestParity(TaskContract):
    name = "parity"
    variants = [{}, {"cot": False}]
    examples = [({}, "01101=", "01001:1"), ({"cot": False}, "01101=", "1")]
    digests = [({}, "1cdd28b2b0c664a9"), ({"cot": False}, "46d9b2a5c17380d7")]
    bad_prompts = [({}, "012=", "foreign characters '2'")]
    relations = [({}, list(range(1, 9)), [30])]


def test_the_final_answer_and_the_lengths_with_and_without_steps():
    task, plain = get_task("parity"), get_task("parity", cot=False)
    assert task.final("01001:1") == plain.final("1") == "1"
    assert task.lengths(7) == (8, 9) and plain.lengths(7) == (8, 1)
    assert ":" not in plain.vocabulary


def test_both_answers_are_equally_likely():
    task = get_task("parity", cot=False, hard=0.0)
    ones = (task.sample(20, 10_000, np.random.default_rng(0)).answers == ord("1")).sum()
    assert abs(ones - 5000) < 5 * 50  # five standard deviations
