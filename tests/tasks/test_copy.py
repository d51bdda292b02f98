from hf_lengthgen.tasks import get_task

from .checks import assert_answers_right, assert_relations_hold, golden


def test_example():
    task = get_task("copy")
    assert task.answer("abca=") == "abca"
    assert task.lengths(7) == (8, 7)


def test_sampler_agrees_with_the_oracle():
    assert_answers_right(get_task("copy"), [1, 2, 3, 12, 100])


def test_one_relation_is_enough_at_any_scale():
    assert_relations_hold(get_task("copy"), small=range(1, 9), large=[30])


def test_rows_are_the_same_everywhere():
    assert golden(get_task("copy")) == "1ad77656a43eeb2f"
