"""Arithmetic on arrays of digits against Python integers."""

import sys
from math import isqrt

import numpy as np
import pytest

from hf_lengthgen.tasks import digits
from hf_lengthgen.tasks.arithmetic import draw_divisor, draw_number
from hf_lengthgen.tasks.integers import strip_zeros, to_digits, to_integer

BASES = [2, 3, 5, 10]
# Machine integers end at 18 digits of base 10 (products: 9 by 9), and at 63 of base 2.
WIDTHS = [
    (1, 1),
    (3, 2),
    (2, 5),
    (9, 9),
    (10, 9),
    (12, 12),
    (18, 18),
    (19, 18),
    (63, 63),
    (64, 63),
    (70, 65),
    (200, 90),
]


def draw(width, base, count=60, seed=0, draw_one=draw_number):
    return draw_one(width, base, np.arange(count) % 2 == 0, np.random.default_rng([seed, width, base]))


def integers(array, base):
    return [to_integer("".join(map(str, row)), base) for row in array.tolist()]


@pytest.mark.parametrize("base", range(2, 11))
def test_normalise(base):
    rng = np.random.default_rng(base)
    for top in (1, base, 2 * base, 81 * 10_000):
        columns = rng.integers(0, top, size=(50, 50), endpoint=True)
        columns[:, 22:] = 0
        columns[:25, :22] = np.where(rng.random((25, 22)) < 0.8, min(top, base - 1), columns[:25, :22])
        result = digits.normalise(columns, base)
        assert result.dtype == np.uint8 and (result < base).all()
        assert integers(result, base) == [sum(int(c) * base**k for k, c in enumerate(row)) for row in columns]


def test_a_carry_runs_through_the_whole_number():
    columns = np.array([[10] + [9] * 50 + [0]])
    assert digits.normalise(columns, 10)[0].tolist() == [0] * 51 + [1]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("width", [1, 2, 12, 100])
def test_subtract(base, width):
    a, b = draw(width, base, seed=1), draw(width, base, seed=2)
    b[:10] = a[:10]
    result, below = digits.subtract(a, b, base)
    assert (result < base).all()
    for x, y, difference, less in zip(*(integers(v, base) for v in (a, b, result)), below, strict=True):
        assert less == (x < y) and difference == (x - y) % base**width


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("widths", WIDTHS)
def test_multiply_and_divide(base, widths):
    a, b = draw(widths[0], base, seed=1), draw(widths[1], base, seed=2, draw_one=draw_divisor)
    assert b.any(axis=1).all()
    product = digits.multiply(a, b, base)
    quotient, rest = digits.divide(a, b, base)
    assert product.shape[1] == sum(widths) and rest.shape == b.shape and quotient.shape == a.shape
    for x, y, p, q, r in zip(*(integers(v, base) for v in (a, b, product, quotient, rest)), strict=True):
        assert p == x * y and (q, r) == divmod(x, y)


@pytest.mark.parametrize("base", BASES)
def test_remainders_on_the_way(base):
    a, b = draw(9, base, seed=1), draw(3, base, seed=2, draw_one=draw_divisor)
    remainders = np.empty((len(a), 9, 3), dtype=np.uint8)
    digits.divide(a, b, base, remainders)
    known = np.empty((len(a), 70, 3), dtype=np.uint8)  # too long for machine integers
    digits.divide(np.pad(a, ((0, 0), (0, 61))), b, base, known)
    rests = digits.divide_by_digit(a, np.maximum(b[:, 0], 1), base)[1]
    for k in range(9):
        for x, y, r, s in zip(*(integers(v, base) for v in (a[:, k:], b, remainders[:, k], known[:, k])), strict=True):
            assert r == s == x % y
        assert rests[:, k].tolist() == [
            x % max(1, int(d)) for x, d in zip(integers(a[:, k:], base), b[:, 0], strict=True)
        ]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("n", [1, 2, 3, 12, 14, 15, 16, 22, 32, 33, 52, 53, 101])  # 15 digits of base 10, 52 of base 2
def test_square_root(base, n):
    a = draw(n, base)
    root = digits.square_root(a, base)
    assert root.shape[1] == (n + 1) // 2
    assert integers(root, base) == [isqrt(x) for x in integers(a, base)]


@pytest.mark.parametrize("base", BASES)
def test_square_roots_of_the_largest_squares_and_one_less(base):
    for n in range(2, 60):
        largest = isqrt(base**n - 1)
        squares = [r * r for r in range(largest, max(0, largest - 50), -1)]
        numbers = [x - less for x in squares for less in (0, 1)]
        a = np.array([[int(c) for c in to_digits(x, base, n)] for x in numbers], dtype=np.uint8)
        assert integers(digits.square_root(a, base), base) == [isqrt(x) for x in numbers]


def test_significant_digits():
    assert digits.significant(np.array([[0, 0, 0], [5, 0, 0], [0, 3, 0], [1, 2, 3]])).tolist() == [1, 1, 2, 3]


def test_no_rows():
    none = np.zeros((0, 80), dtype=np.uint8)
    assert digits.multiply(none, none, 10).shape == (0, 160)
    assert digits.divide(none, none, 10)[0].shape == digits.subtract(none, none, 10)[0].shape == (0, 80)
    assert digits.square_root(none, 10).shape == (0, 40)


@pytest.mark.parametrize("base", range(2, 11))
def test_integers_and_their_digits(base):
    for value in (0, 1, base - 1, base, 12345, base**600 - 1, base**1200 + 7):
        text = to_digits(value, base, 1300)
        assert len(text) == 1300 and to_integer(text, base) == value
    assert strip_zeros("2100") == "21" and strip_zeros("000") == "0"


def test_integers_beyond_pythons_limit_of_digits():
    n = 3 * sys.get_int_max_str_digits()
    assert to_integer("9" * n, 10) == 10**n - 1


def test_hard_numbers():
    numbers = draw_number(20, 10, np.ones(4000, dtype=bool), np.random.default_rng(0))
    nines, zeros = (numbers == 9).all(axis=1).mean(), (numbers == 0).sum(axis=1)
    assert 0.22 < nines < 0.28
    assert (numbers[:, -3:] == 0).all(axis=1).mean() > 0.25
    assert (zeros >= 12).mean() > 0.3
    easy = draw_number(20, 10, np.zeros(4000, dtype=bool), np.random.default_rng(0))
    assert (abs(np.bincount(easy.ravel(), minlength=10) - 8000) < 5 * 85).all()  # five standard deviations
