from math import isqrt

import numpy as np
import pytest

from hf_lengthgen.tasks import get_task
from hf_lengthgen.tasks.integers import to_integer

from .format_contract import FormatContract


class TestSquareRoot(FormatContract):
    name = "square_root"
    variants = [{}, {"base": 2}, {"base": 3, "padding": "none", "index_hints": "random"}]
    scales = [1, 2, 7, 20]
    large, large_rows = [100], 50
    ragged = True
    longest = [2_000]
    # The last two are the examples of the paper's code.
    examples = [({}, "0735=", "27"), ({"base": 2}, "100101=", "110"), ({"base": 2, "padding": "none"}, "111=", "10")]
    digests = [({}, "9eefd07064d31a58"), ({"base": 2}, "37f3800c3a037df1")]
    bad_options = [({"base": 11}, "between 2 and 10")]


def test_all_small_numbers():
    for base in (2, 10):
        task = get_task("square_root", base=base)
        for n in (1, 2, 3, 4):
            samples = task.sample(n, 3000, np.random.default_rng(0))
            for prompt, answer in set(zip(samples.prompt_strings(), samples.answer_strings(), strict=True)):
                assert int(answer, base) == isqrt(int(prompt[:-1], base))


@pytest.mark.parametrize(("n", "base"), [(1001, 2), pytest.param(10_000, 10, marks=pytest.mark.slow)])
def test_long_numbers(n, base):
    samples = get_task("square_root", base=base, hard=0.5).sample(n, 8, np.random.default_rng(1))
    for prompt, answer in zip(samples.prompt_strings(), samples.answer_strings(), strict=True):
        number, root = to_integer(prompt[-2::-1], base), to_integer(answer[::-1], base)
        assert root**2 <= number < (root + 1) ** 2
