import pytest

from hf_lengthgen.leftover import dotted_options, nothing_more


def test_words_that_no_command_takes():
    nothing_more([])
    with pytest.raises(ValueError, match="^unknown argument '--colour'.$"):
        nothing_more(["--colour", "red"])


def test_options_of_options():
    both = ("task_options", "position_options")
    words = ["--task_options.base", "2", "--position_options.window=3", "--task_options.order", "plain"]
    found = {"task_options": {"base": 2, "order": "plain"}, "position_options": {"window": 3}}
    assert dotted_options(words, *both) == found
    assert dotted_options([], "task_options") == {"task_options": {}}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--position_options.window", "3"], "^unknown argument '--position_options.window'"),
        (["--task_options", "3"], "^unknown argument '--task_options'"),
        (["--colour", "red"], "^unknown argument '--colour'"),
        (["red"], "^Unexpected argument 'red'"),
        (["--task_options.base", "2", "--task_options.base", "3"], "given twice"),
        (["--task_options.base"], "needs a value"),
    ],
)
def test_words_that_are_no_such_options(words, message):
    with pytest.raises(ValueError, match=message):
        dotted_options(words, "task_options")
