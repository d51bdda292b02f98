import sys

import numpy as np
import pytest

from hf_lengthgen.tasks import get_task
from hf_lengthgen.tasks.addition import add_digits, draw_operands

from .checks import assert_answers_right, assert_relations_hold, golden, relations_determine
from .format_contract import FormatContract

PAIRS = [(m, n) for m in range(1, 6) for n in range(1, 6)]


@pytest.fixture
def long_integers():
    """Python's own int <-> str at any length, for the test that uses it only."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(limit)


def test_examples():
    equal = get_task("addition")
    assert equal.answer("321+654=") == "9750"
    assert equal.lengths(7) == (16, 8)
    assert equal.hints == 1
    unequal = get_task("addition", widths="unequal")
    assert unequal.answer("999+1=") == "0001"
    assert unequal.lengths((3, 5)) == (10, 6)
    assert unequal.hints == 2
    assert get_task("addition", base=2).answer("11+10=") == "001"


@pytest.mark.parametrize("base", [2, 3, 10])
def test_equal_widths_agree_with_the_oracle(base):
    assert_answers_right(get_task("addition", base=base), [1, 2, 3, 12, 60])


@pytest.mark.parametrize("base", [2, 3, 10])
def test_unequal_widths_agree_with_the_oracle(base):
    task = get_task("addition", base=base, widths="unequal")
    assert_answers_right(task, [(1, 1), (1, 7), (7, 1), (4, 5), (12, 12), (60, 3)])


def test_scale_rule():
    assert get_task("addition").scale_rule == ((None, "+"),)
    assert get_task("addition", widths="unequal").scale_rule == ((None, "+"), ("+", "="))


@pytest.mark.parametrize(("widths", "scale"), [("equal", 10_000), ("unequal", (10_000, 9_000))])
@pytest.mark.parametrize("hard", [0.0, 1.0])
def test_ten_thousand_digits_against_python_integers(widths, scale, hard, long_integers):
    task = get_task("addition", widths=widths, hard=hard)
    samples = task.sample(scale, 4, np.random.default_rng(3))
    for prompt, answer in zip(samples.prompt_strings(), samples.answer_strings(), strict=True):
        a, b = prompt[:-1].split("+")
        total = int(a[::-1]) + int(b[::-1])
        assert answer == str(total).zfill(10_001)[::-1]


def test_the_oracle_works_beyond_pythons_digit_limit():
    task = get_task("addition")
    n = 3 * sys.get_int_max_str_digits()
    assert task.answer("9" * n + "+1" + "0" * (n - 1) + "=") == "0" * n + "1"


@pytest.mark.parametrize("base", range(2, 11))
def test_add_digits_for_all_pairs_of_short_numbers(base):
    values = np.arange(base**2)
    digits = np.stack([values % base, values // base], axis=1).astype(np.uint8)
    a, b = (grid.ravel() for grid in np.meshgrid(values, values))
    total = add_digits(digits[a], digits[b], base)
    assert (total < base).all()
    assert (total @ base ** np.arange(3) == a + b).all()


def test_a_carry_runs_through_the_whole_number():
    nines = np.full((1, 50), 9, dtype=np.uint8)
    one = np.zeros((1, 50), dtype=np.uint8)
    one[0, 0] = 1
    assert add_digits(nines, one, 10)[0].tolist() == [0] * 50 + [1]


@pytest.mark.parametrize("widths", [(12, 12), (12, 5), (5, 12)])
def test_hard_rows_have_long_carry_chains_leading_zeros_and_equal_operands(widths):
    count = 4000
    a, b = draw_operands(widths, 10, np.ones(count, dtype=bool), np.random.default_rng(0))
    assert max(a.max(), b.max()) == 9
    assert not a[:, widths[0] :].any() and not b[:, widths[1] :].any()
    shared = min(widths)
    full_chain = ((a + b)[:, 1:] == 9).all(axis=1) & ((a + b)[:, 0] >= 10)
    equal = (a[:, :shared] == b[:, :shared]).all(axis=1)
    leading = (a[:, widths[0] - 2 : widths[0]] == 0).all(axis=1) | (b[:, widths[1] - 2 : widths[1]] == 0).all(axis=1)
    for share in (full_chain.mean(), equal.mean()):
        assert 0.2 < share < 0.35  # one kind of four, and few by chance
    assert leading.mean() > 0.1


def test_easy_rows_are_uniform():
    a, b = draw_operands((3, 3), 10, np.zeros(20_000, dtype=bool), np.random.default_rng(0))
    for digits in (a, b):
        counts = np.bincount(digits.ravel(), minlength=10)
        assert (abs(counts - 6000) < 5 * 74).all()  # five standard deviations


@pytest.mark.parametrize("base", [2, 3])
def test_the_relations_are_enough_at_any_scale(base):
    assert_relations_hold(get_task("addition", base=base), small=range(1, 9), large=[30], count=1500)
    task = get_task("addition", base=base, widths="unequal")
    assert_relations_hold(task, small=PAIRS, large=[(30, 30), (30, 3), (3, 30), (17, 30)], count=1000)


@pytest.mark.parametrize("widths", ["equal", "unequal"])
def test_the_relations_never_contradict_each_other_in_base_ten(widths):
    task = get_task("addition", widths=widths)
    large = [30] if widths == "equal" else [(30, 3), (3, 30)]
    assert_relations_hold(task, small=[1, 2, 3, 8], large=large, all_seen=False)


@pytest.mark.parametrize("widths", ["equal", "unequal"])
def test_every_relation_is_needed(widths):
    task = get_task("addition", base=2, widths=widths)
    scales = range(1, 9) if widths == "equal" else PAIRS
    for left_out in task.ideal_relations:
        rest = [relation for relation in task.ideal_relations if relation != left_out]
        assert not relations_determine(task, rest, scales)


def test_operands_of_unequal_width_need_the_option():
    with pytest.raises(ValueError, match="operands have 2 and 1 digits.*widths='unequal'"):
        get_task("addition").answer("12+3=")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": 1}, "between 2 and 10, got 1"),
        ({"base": 16}, "between 2 and 10, got 16"),
        ({"base": "10"}, "'base' must be int, got '10'"),
        ({"widths": "unequl"}, "did you mean 'unequal'"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        get_task("addition", **options)


@pytest.mark.parametrize(("widths", "expected"), [("equal", "a5f787e1f6f1fc33"), ("unequal", "a5f787e1f6f1fc33")])
def test_rows_are_the_same_everywhere(widths, expected):
    assert golden(get_task("addition", widths=widths)) == expected


class TestFormats(FormatContract):
    """The formats besides the default one."""

    name = "addition"
    variants = [
        {"padding": "none"},
        {"order": "plain", "padding": "none", "widths": "unequal", "index_hints": "random"},
        {"base": 3, "index_hints": "fixed", "separator": ","},
    ]
    more_variants = [{"base": 2}, {"widths": "unequal"}]
    scales = [1, 2, 7, 20, 100]
    large, large_rows = [1000], 100
    ragged = True
    examples = [
        ({}, "321+654=", "9750"),
        ({"padding": "none"}, "321+654=", "975"),
        ({"order": "plain"}, "123+456=", "0579"),
        ({"padding": "fixed", "width": 5}, "32100+65400=", "975000"),
        ({"index_hints": "fixed"}, "a3b2c1+a6b5c4=", "a9b7c5d0"),
        ({"index_hints": "random", "order": "plain", "separator": "_"}, "Z9_Y9+Z0_Y1=", "a1_Z0_Y0"),
    ]
    digests = [
        ({"padding": "none"}, "a326c32016c14cd4"),
        ({"padding": "fixed", "width": 23}, "95643cfcb701e33b"),
        ({"index_hints": "random", "separator": ",", "order": "plain"}, "91d924c25c3f54fd"),
    ]
    bad_options = [({"order": "plian"}, "did you mean 'plain'")]
    bad_prompts = [
        ({"padding": "none"}, "320+654=", "starts with a zero"),
        ({"padding": "fixed", "width": 5}, "321+654=", "has 3 digits.*width=5"),
        ({"index_hints": "fixed"}, "a3b2+b6c5=", "different letters"),
        ({"index_hints": "fixed"}, "c1+c2=", "index_hints='fixed' .* 'a', .* with 'c'; a prompt of task 'addition'"),
        ({"separator": ","}, "3,2+65=", "is not a number of base 10 in the format '2,1,0'"),
    ]
    relations = [
        ({"base": 2, "padding": "none"}, list(range(1, 9)), [30]),
        ({"base": 2, "padding": "none", "widths": "unequal"}, PAIRS, [(30, 3), (3, 30)]),
        ({"base": 2, "padding": "fixed", "width": 30}, [1, 4, 30], [30]),
        ({"base": 2, "separator": ","}, list(range(1, 9)), [30]),
        ({"base": 2, "separator": ",", "widths": "unequal"}, PAIRS, [(30, 3), (3, 30)]),
        ({"base": 2, "index_hints": "fixed", "separator": ","}, list(range(1, 9)), []),
        ({"base": 2, "index_hints": "fixed", "separator": ",", "widths": "unequal"}, PAIRS, []),
    ]

    def scales_at(self, task, n):
        return [n, (n, (n + 1) // 2), ((n + 1) // 2, n)] if task.hints == 2 else [n]


@pytest.mark.parametrize("widths", ["equal", "unequal"])
def test_the_relations_with_index_hints_never_contradict_each_other(widths):
    # 52 letters make new entries as numbers grow: no contradiction, but not all are seen at small scales.
    task = get_task("addition", base=2, index_hints="fixed", separator=",", widths=widths)
    small, large = (range(1, 9), [30]) if widths == "equal" else (PAIRS, [(30, 3), (3, 30)])
    assert_relations_hold(task, small=small, large=large, all_seen=False)


@pytest.mark.parametrize("options", [{"order": "plain"}, {"padding": "none", "index_hints": "fixed"}])
def test_formats_without_a_known_set_of_relations(options):
    task = get_task("addition", **options)
    assert task.ideal_relations == () and not task.src_verdict.startswith("constant")
