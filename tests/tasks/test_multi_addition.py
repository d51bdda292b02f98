import numpy as np
import pytest

from hf_lengthgen.tasks import get_task
from hf_lengthgen.tasks.multi_addition import _extra

from .checks import assert_relations_hold
from .format_contract import FormatContract

PAIRS = [(m, n) for m in range(1, 6) for n in range(2, 7)]


class TestMultiAddition(FormatContract):
    name = "multi_addition"
    variants = [
        {},
        {"operands": 5, "base": 2, "cot": "sums"},
        {"operands": 2, "padding": "none", "order": "plain", "index_hints": "random", "separator": "_"},
    ]
    more_variants = [{"operands": 0}]  # n operands of n digits, n = 1: two
    scales = [1, 2, 7, 20, 100]
    large, large_rows = [1000], 200
    ragged = True
    examples = [
        ({}, "321+654+987=", "8631"),
        ({"cot": "sums"}, "3210+6540+9870=", "2190;8631"),
        ({"cot": "sums", "order": "plain", "operands": 4}, "01+02+03+04=", "05;07;10"),
        ({"operands": 0}, "1+2+3+4=", "01"),
    ]
    finals = [
        ({"cot": "sums"}, "2190;8631", "8631", ("sum",)),
        ({"cot": "sums", "operands": 2}, "2190", "2190", ("sum",)),
        ({}, "8631", "8631", ()),
    ]
    digests = [({}, "0c3246d0e7c9fb07"), ({"cot": "sums"}, "e93ecbf58afd7ced"), ({"operands": 0}, "20935255a2288927")]
    bad_options = [
        ({"operands": 1}, "at least 2, or 0"),
        ({"cot": "sum"}, "did you mean 'sums'"),
        ({"cot": "sums", "padding": "none"}, "cot='sums' needs padding='equal'"),
    ]
    bad_prompts = [
        ({}, "1+2=", "sum of 3 operands is needed, got 2"),
        ({"operands": 0}, "1=", "two or more operands"),
        ({}, "1+22+3=", "equally many digits"),
        ({}, "1++3=", "where the number operand should stand"),
        ({"cot": "sums"}, "9+9+9=", "does not fit into the 1 digits"),
    ]
    relations = [
        ({"base": 3}, list(range(1, 9)), []),
        ({"base": 3, "operands": 2}, list(range(1, 9)), [30]),
        ({"base": 2, "operands": 4, "cot": "sums"}, list(range(1, 9)), [30]),
        ({"base": 3, "operands": 0, "cot": "sums"}, PAIRS, [(30, 5), (5, 30), (12, 12)]),
    ]


@pytest.mark.parametrize("cot", ["none", "sums"])
def test_the_scale_may_be_length_by_count(cot):
    task = get_task("multi_addition", operands=0, cot=cot)
    for scale, rows in (
        ((1, 2), 1000),
        ((2, 7), 1000),
        ((7, 2), 1000),
        ((20, 20), 200),
        ((1000, 3), 20),
        ((3, 300), 20),
    ):
        samples = task.sample(scale, rows, np.random.default_rng(0))
        prompts = samples.prompt_strings()
        assert [task.answer(prompt) for prompt in prompts] == samples.answer_strings()
        assert prompts[0].count("+") == scale[1] - 1
        assert task.scale_of(prompts[0]) == tuple(samples.scales[0]) == task.hint(scale)


def test_counts_begin_at_two():
    task = get_task("multi_addition", operands=0)
    assert task.expand(1) == (1, 2) and task.expand(7) == (7, 7)
    with pytest.raises(ValueError, match="has 1 operand, but a sum needs at least 2"):
        task.expand((5, 1))
    scales = task.draw_scales(1, 4, 3000, np.random.default_rng(0))
    assert set(scales[:, 0]) == {1, 2, 3, 4} and set(scales[:, 1]) == {2, 3, 4}


@pytest.mark.parametrize("options", [{}, {"base": 3}, {"base": 4, "operands": 4}])
def test_the_relations_never_contradict_each_other(options):
    task = get_task("multi_addition", **options)
    assert_relations_hold(task, small=range(1, 9), large=[30], all_seen=False)


@pytest.mark.parametrize(
    "options", [{"operands": 0}, {"operands": 4, "base": 3}, {"order": "plain"}, {"padding": "none"}]
)
def test_where_no_relations_are_claimed(options):
    assert get_task("multi_addition", **options).ideal_relations == ()


@pytest.mark.parametrize("base", [2, 3, 10])
def test_the_largest_total_fits(base):
    for count in range(2, 120):
        extra = _extra(count, base)
        assert count * (base**50 - 1) < base ** (50 + extra)
        assert extra == 1 or count * (base**50 - 1) >= base ** (50 + extra - 1)
