import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_lengthgen.evaluation.statistics import (
    bootstrap,
    effective_length,
    effective_lengths,
    extrapolation_area,
    extrapolation_factor,
    t_interval,
    t_quantile,
    wilson,
)

counts = st.integers(1, 5000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@dataclass
class Score:
    n: list[int]
    exact_match: float


# Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
@pytest.mark.parametrize(
    "correct, total, low, high",
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_published_intervals(correct, total, low, high):
    assert wilson(correct, total) == pytest.approx((low, high), abs=5e-5)


@given(
    counts,
    st.sampled_from([(0.9, 1.6448536269514722), (0.95, 1.959963984540054), (0.99, 2.5758293035489004)]),
)
def test_wilson_ends_are_z_standard_errors_away(pair, level):
    """The interval is defined by |share - p| = z sqrt(p (1 - p) / total): find its two solutions by
    bisection.
    """
    (correct, total), (confidence, z) = pair, level
    share = correct / total

    def excess(p):
        return abs(share - p) - z * math.sqrt(p * (1 - p) / total)

    def root(outside, inside):  # excess > 0 outside the interval, < 0 inside
        for _ in range(200):
            middle = (outside + inside) / 2
            outside, inside = (middle, inside) if excess(middle) > 0 else (outside, middle)
        return inside

    low, high = wilson(correct, total, confidence)
    assert low == pytest.approx(root(0.0, share) if correct else 0.0, abs=1e-7)
    assert high == pytest.approx(root(1.0, share) if correct < total else 1.0, abs=1e-7)


@given(counts)
def test_wilson_lies_around_the_share_and_mirrors(pair):
    correct, total = pair
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total <= high <= 1
    assert wilson(total - correct, total) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_wilson_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for p in (0.5, 0.9, 0.99):
        draws = rng.binomial(100, p, size=2000)
        inside = [low <= p <= high for low, high in (wilson(int(k), 100) for k in draws)]
        assert 0.92 <= np.mean(inside) <= 0.985


@pytest.mark.parametrize("arguments", [(5, 0), (-1, 10), (11, 10), (1, 10, 0.0), (1, 10, 1.0), (1, 10, 95)])
def test_wilson_refuses(arguments):
    with pytest.raises(ValueError, match="got"):
        wilson(*arguments)


# Standard tables of Student's t, two-sided.
@pytest.mark.parametrize(
    "confidence, freedom, t",
    [
        (0.95, 1, 12.706),
        (0.95, 2, 4.303),
        (0.95, 3, 3.182),
        (0.95, 4, 2.776),
        (0.95, 9, 2.262),
        (0.95, 30, 2.042),
        (0.95, 120, 1.980),
        (0.99, 1, 63.657),
        (0.99, 4, 4.604),
        (0.90, 5, 2.015),
        (0.998, 7, 4.785),
    ],
)
def test_t_quantile_gives_published_values(confidence, freedom, t):
    assert t_quantile(confidence, freedom) == pytest.approx(t, abs=6e-4)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 10, 31, 100])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_t_quantile_inverts_the_density(confidence, freedom):
    t = t_quantile(confidence, freedom)
    x = np.linspace(-t, t, 200_001)
    constant = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    density = constant * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    inside = np.sum((density[1:] + density[:-1]) / 2 * np.diff(x))
    assert inside == pytest.approx(confidence, abs=1e-6)


def test_t_interval_of_a_textbook_sample():
    mean, low, high = t_interval([1, 2, 3, 4, 5])
    half = 2.776445 * math.sqrt(2.5) / math.sqrt(5)
    assert (mean, low, high) == pytest.approx((3, 3 - half, 3 + half), abs=1e-5)
    assert t_interval([0.25, 0.25]) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize("values", [[], [0.5]])
def test_t_interval_needs_two_values(values):
    with pytest.raises(ValueError, match="at least 2 values"):
        t_interval(values)


def test_t_quantile_refuses():
    with pytest.raises(ValueError, match="degree of freedom, got 0"):
        t_quantile(0.95, 0)
    with pytest.raises(ValueError, match="confidence"):
        t_quantile(1.5, 3)


scores = st.lists(
    st.builds(
        Score,
        n=st.lists(st.integers(1, 30), min_size=1, max_size=2),
        exact_match=st.integers(0, 100).map(lambda k: k / 100),
    ),
    max_size=8,
)


@given(scores, st.sampled_from([0.5, 0.99, 1.0]))
def test_effective_length_by_its_definition(results, threshold):
    """Try every tested length: the largest one at and below which nothing fails."""
    good = [
        max(candidate.n)
        for candidate in results
        if all(other.exact_match >= threshold for other in results if max(other.n) <= max(candidate.n))
    ]
    assert effective_length(results, threshold) == max(good, default=0)


def test_effective_length_does_not_jump_over_a_failure():
    results = [Score([100], 1.0), Score([10], 1.0), Score([50], 0.5), Score([20], 0.99)]
    assert effective_length(results) == 20
    assert effective_length(results, 1.0) == 10
    assert extrapolation_factor(results, 8) == 2.5


def test_effective_length_refuses():
    with pytest.raises(ValueError, match="threshold"):
        effective_length([], 0)
    with pytest.raises(ValueError, match="threshold"):
        effective_length([], 99)
    with pytest.raises(ValueError, match="n_max"):
        extrapolation_factor([], 0)


def test_bootstrap_agrees_with_all_resamples():
    """With three values there are 27 equally likely resamples: their quantiles are the interval."""
    values = [0.2, 0.5, 1.0]
    means = sorted(sum(draw) / 3 for draw in itertools.product(values, repeat=3))
    for confidence in (0.5, 0.8):
        estimate, low, high = bootstrap(values, confidence)
        cut = (1 - confidence) / 2
        assert estimate == pytest.approx(sum(values) / 3)
        assert low == pytest.approx(means[math.floor(cut * 27)]) and high == pytest.approx(
            means[math.floor((1 - cut) * 27)]
        )
    assert bootstrap(values, 0.95)[1:] == pytest.approx((0.2, 1.0))  # 1 in 27 is more than 2.5%


def test_bootstrap_of_many_values_is_the_normal_interval():
    values = np.random.default_rng(0).normal(5.0, 2.0, 400).tolist()
    mean, low, high = bootstrap(values, samples=4000)
    half = 1.96 * np.std(values) / math.sqrt(400)
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.02)


def test_bootstrap_takes_other_statistics_and_a_seed():
    assert bootstrap([1, 2, 9], statistic=max)[0] == 9
    assert bootstrap([3.0]) == (3.0, 3.0, 3.0)
    values = list(range(9))
    assert bootstrap(values, samples=50) == bootstrap(values, samples=50) != bootstrap(values, samples=50, seed=1)


@pytest.mark.parametrize("arguments", [([],), ([1], 0), ([1], 95), ([1], 0.95, max, 0)])
def test_bootstrap_refuses(arguments):
    with pytest.raises(ValueError, match="got"):
        bootstrap(*arguments)


def test_effective_lengths_at_every_threshold():
    results = [Score([10], 1.0), Score([20], 0.96), Score([50], 0.92), Score([100], 0.5), Score([200], 0.1)]
    assert effective_lengths(results) == {0.99: 10, 0.95: 20, 0.9: 50, 0.5: 100}
    assert effective_lengths(iter(results), [0.05]) == {0.05: 200}


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 1)), min_size=1, max_size=6, unique_by=lambda p: p[0]))
def test_the_area_is_the_mean_over_log_n(points):
    """Against a Riemann sum over a fine grid in log n."""
    points = sorted([*points, (1000, 0.25)] if points[-1][0] != 1000 else points)
    points = [point for k, point in enumerate(points) if k == 0 or point[0] != points[k - 1][0]]
    x = np.linspace(math.log(12), math.log(1000), 40_001)
    middle = (x[1:] + x[:-1]) / 2
    want = np.interp(middle, [math.log(n) for n, _ in points], [share for _, share in points]).mean()
    assert extrapolation_area([Score([n], share) for n, share in points], 12, 1000) == pytest.approx(want, abs=1e-3)


def test_the_area_of_simple_curves():
    solved = [Score([12], 1.0), Score([100], 1.0), Score([1000], 1.0)]
    assert extrapolation_area(solved, 12, 1000) == pytest.approx(1.0)
    assert extrapolation_area([Score([12], 0.0)], 12, 1000) == 0.0  # stopped, and nothing beyond
    halfway = [Score([10], 1.0), Score([1000], 0.0)]
    assert extrapolation_area(halfway, 10, 1000) == pytest.approx(0.5)
    assert extrapolation_area([Score([10, 4], 1.0), Score([1000, 1000], 0.0)], 10, 1000) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "results, n_max, up_to, message",
    [
        ([], 12, 100, "at least one length"),
        ([Score([12], 0.5), Score([12], 0.0)], 12, 100, "one result a length"),
        ([Score([12], 0.5)], 12, 100, "needs a result there: the last one, at 12, is not 0"),
        ([Score([12], 0.0)], 12, 12, "n_max < up_to"),
        ([Score([12], 0.0)], 0, 12, "n_max < up_to"),
    ],
)
def test_the_area_refuses(results, n_max, up_to, message):
    with pytest.raises(ValueError, match=message):
        extrapolation_area(results, n_max, up_to)
