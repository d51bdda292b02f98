from hf_lengthgen.tasks import get_task

from .checks import assert_answers_right, assert_relations_hold, golden


def test_example():
    task = get_task("reverse")
    assert task.answer("abcd=") == "dcba"
    assert task.lengths(7) == (8, 7)


def test_sampler_agrees_with_the_oracle():
    assert_answers_right(get_task("reverse"), [1, 2, 3, 12, 100])


def test_one_relation_is_enough_at_any_scale():
    assert_relations_hold(get_task("reverse"), small=range(1, 9), large=[30])


def test_rows_are_the_same_everywhere():
    assert golden(get_task("reverse")) == "f6d7852afd913bb5"
