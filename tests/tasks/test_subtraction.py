import numpy as np

from hf_lengthgen.tasks.digits import subtract
from hf_lengthgen.tasks.subtraction import draw_terms

from .format_contract import FormatContract

SMALL, LARGE = list(range(1, 9)), [30]


class TestSubtraction(FormatContract):
    name = "subtraction"
    variants = [{}, {"base": 2, "order": "plain", "padding": "none", "index_hints": "random"}]
    scales = [1, 2, 7, 20, 100]
    large, large_rows = [1000], 500
    ragged = True
    examples = [
        ({}, "213-542=", "760"),
        ({"order": "plain"}, "312-245=", "067"),
        ({"order": "plain", "padding": "none"}, "312-245=", "67"),
        ({"padding": "fixed", "width": 5}, "21300-54200=", "76000"),
        ({"index_hints": "fixed", "separator": ","}, "a2,b1,c3-a5,b4,c2=", "a7,b6,c0"),
    ]
    digests = [({}, "daa3bfe1d70261c7")]
    bad_options = [({"widths": "equal"}, "no option 'widths'")]
    bad_prompts = [
        ({}, "542-213=", "first operand is the smaller"),
        ({}, "12-3=", "2 and 1 digits"),
        ({"padding": "none"}, "12-30=", "starts with a zero"),
    ]
    relations = [
        ({"base": 2}, SMALL, LARGE),
        ({"base": 3}, SMALL, LARGE),
        ({"base": 2, "separator": ","}, SMALL, LARGE),
        ({"base": 2, "padding": "fixed", "width": 30}, [1, 5, 30], LARGE),
    ]


def test_hard_rows_have_long_borrow_chains_leading_zeros_and_equal_operands():
    a, b = draw_terms(12, 10, np.ones(4000, dtype=bool), np.random.default_rng(0))
    borrowed = subtract(a, b, 10)[0]
    whole = (borrowed[:, :-1] == 9).sum(axis=1) >= 10
    passed = (a == b)[:, 1:-1].sum(axis=1) >= 8
    for share in (whole.mean(), (a == b).all(axis=1).mean()):
        assert 0.2 < share < 0.3
    assert (passed & (a[:, 0] < b[:, 0])).mean() > 0.25
    assert (b[:, -2:] == 0).all(axis=1).mean() > 0.25
