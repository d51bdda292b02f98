import math

import pytest

from hf_lengthgen.training.schedule import learning_rate_factor, penalty_weight


def test_warm_up_is_linear_and_reaches_one():
    factors = [learning_rate_factor(step, 1500, 100, 0.02) for step in range(100)]
    assert factors == pytest.approx([(step + 1) / 100 for step in range(100)])
    assert factors[-1] == 1.0


def test_cosine_by_its_formula():
    for step in (100, 437, 800, 1499):
        angle = math.pi * (step - 100) / (1499 - 100)
        expected = 0.02 + 0.98 * (1 + math.cos(angle)) / 2
        assert learning_rate_factor(step, 1500, 100, 0.02) == pytest.approx(expected)
    assert learning_rate_factor(1499, 1500, 100, 0.02) == pytest.approx(0.02)


def test_cosine_never_rises_and_stays_in_range():
    factors = [learning_rate_factor(step, 300, 20, 0.1) for step in range(20, 300)]
    assert all(later <= earlier for earlier, later in zip(factors, factors[1:], strict=False))
    assert min(factors) >= 0.1
    assert max(factors) <= 1.0


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (2, 1), (3, 3), (5, 100), (101, 100)])
def test_short_runs_have_positive_factors(steps, warmup):
    factors = [learning_rate_factor(step, steps, warmup, 0.02) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)


def test_no_warm_up_starts_at_the_peak():
    assert learning_rate_factor(0, 10, 0, 0.02) == 1.0


def test_penalty_rises_from_zero_and_stays():
    assert penalty_weight(0, 1000, 0.003, 0.5) == 0.0
    assert penalty_weight(250, 1000, 0.003, 0.5) == pytest.approx(0.0015)
    assert penalty_weight(499, 1000, 0.003, 0.5) == pytest.approx(0.003 * 499 / 500)
    assert {penalty_weight(step, 1000, 0.003, 0.5) for step in range(500, 1000)} == {0.003}


def test_penalty_without_warm_up_is_constant():
    assert penalty_weight(0, 1000, 0.003, 0.0) == 0.003
