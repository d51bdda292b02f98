import numpy as np
import pytest

from hf_lengthgen.evaluation.answers import (
    answer_scores,
    final_accuracy,
    final_match,
    step_accuracy,
    step_matches,
    step_spans,
)
from hf_lengthgen.tasks import get_task, list_tasks

CHAINS = [
    ("parity", {}, 5),
    ("cycle_navigation", {}, 5),
    ("division_digit", {}, 4),
    ("long_division", {"cot": "rows"}, 4),
    ("multi_addition", {"cot": "sums"}, 3),
]


def draw(name, options, n, count=20):
    task = get_task(name, **options)
    samples = task.sample(n, count, np.random.default_rng(0))
    return task, samples.answer_strings()


@pytest.mark.parametrize("name, options, n", CHAINS)
def test_right_answers_score_1_and_every_step_can_fail_alone(name, options, n):
    task, answers = draw(name, options, n)
    assert answer_scores(task, answers, answers) == {"final_accuracy": 1.0, "step_accuracy": 1.0}
    for answer in answers[:5]:
        spans = step_spans(task, answer)
        assert spans and all(a.stop <= b.start for a, b in zip(spans, spans[1:], strict=False))
        for index, span in enumerate(spans):
            broken = answer[: span.start] + "?" * (span.stop - span.start) + answer[span.stop :]
            assert step_matches(task, broken, answer) == [k != index for k in range(len(spans))]


@pytest.mark.parametrize("name, options, n", CHAINS[2:])
def test_steps_agree_with_the_task_s_own_reading(name, options, n):
    """As many spans as `task.steps` reads steps; the fields of a step are written in its span."""
    task, answers = draw(name, options, n)
    for answer in answers:
        steps, spans = task.steps(answer), step_spans(task, answer)
        assert len(steps) == len(spans) > 0
        for step, span in zip(steps, spans, strict=True):
            text = answer[span]
            assert all(value in text or value[::-1] in text for value in step.values())


def test_parity_s_steps_are_its_running_parities():
    task = get_task("parity")
    assert [("0110:0")[span] for span in step_spans(task, "0110:0")] == list("0110")
    assert step_matches(task, "0100:0", "0110:0") == [True, True, False, True]
    assert step_accuracy(task, ["0100:0", "11:1"], ["0110:0", "11:1"]) == 5 / 6
    with pytest.raises(ValueError, match="no final separator ':'"):
        step_spans(task, "0110")


def test_division_s_steps_are_pairs():
    task = get_task("division_digit")
    assert [("316171")[span] for span in step_spans(task, "316171")] == ["31", "61", "71"]


def test_the_final_answer_counts_alone():
    task = get_task("parity")
    assert final_match(task, "0000:1", "0110:1") and not final_match(task, "0110:0", "0110:1")
    assert final_accuracy(task, ["0000:1", "0110:0", None], ["0110:1"] * 3) == 1 / 3
    division = get_task("division_digit")
    assert final_match(division, "336171", "316171")  # a wrong remainder on the way, the right quotient and rest
    assert not final_match(division, "316161", "316171")


def test_what_did_not_end_is_wrong():
    task = get_task("parity")
    assert not final_match(task, None, "01:1")
    assert step_matches(task, None, "01:1") == [False, False]
    assert step_matches(task, "0", "01:1") == [True, False]


def test_without_a_chain_of_thought_the_final_answer_is_the_answer():
    task = get_task("copy")
    assert final_match(task, "abc", "abc") and not final_match(task, "abd", "abc")
    assert step_spans(task, "abc") == [] and step_accuracy(task, ["abc"], ["abc"]) is None
    with pytest.raises(ValueError, match="at least one answer"):
        final_accuracy(task, [], [])


@pytest.mark.parametrize("name", list_tasks())
def test_every_task_can_be_scored(name):
    """Whatever a model writes: right answers are right, rubbish is wrong, nothing raises."""
    task, answers = draw(name, {}, 3, 5)
    assert final_accuracy(task, answers, answers) == 1.0
    assert step_accuracy(task, answers, answers) in (None, 1.0)
    for rubbish in ("", "?", ":", ";;;", "=" * 50, None):
        assert 0 <= final_accuracy(task, [rubbish] * 5, answers) < 1
        for answer in answers:
            matches = step_matches(task, rubbish, answer)
            assert not matches or not all(matches)
