"""Intervals and summaries: Wilson score, Student t over seeds, effective length, extrapolation factor."""

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist, fmean, stdev
from typing import Protocol


class Scored(Protocol):
    """What `effective_length` needs of a result: the scale and the share of right answers."""

    n: Sequence[int]
    exact_match: float


def wilson(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a share (Wilson 1927): sound at 0% and 100%, where the usual mean ± error is
    not.

    Args:
        correct: number of successes, 0 <= correct <= total.
        total: number of trials, >= 1.
        confidence: two-sided level, between 0 and 1.

    Returns:
        The shares (low, high): the p for which `correct / total` lies exactly z standard errors sqrt(p (1 -
        p) / total) away.
    """
    _check_confidence(confidence)
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"wilson needs 0 <= correct <= total and total >= 1, got correct={correct}, total={total}.")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    # The ends are exactly 0 and 1 there; rounding would leave 1e-17.
    return (0.0 if correct == 0 else centre - half), (1.0 if correct == total else centre + half)


def t_quantile(confidence: float, freedom: int) -> float:
    """The t with P(|T| <= t) = `confidence` for Student's T with `freedom` degrees of freedom (a whole number
    >= 1).

    With t = sqrt(freedom) tan(theta) the probability is a finite sum (Abramowitz & Stegun 26.7.3 and 26.7.4),
    which grows with theta: bisection inverts it.
    """
    _check_confidence(confidence)
    if freedom < 1:
        raise ValueError(f"Student's t needs at least 1 degree of freedom, got {freedom}.")
    low, high = 0.0, math.pi / 2
    for _ in range(60):  # 2^-60: below the spacing of doubles near pi / 2
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, freedom) < confidence else (low, middle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def t_interval(values: Iterable[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean of a few runs and its Student t interval: (mean, low, high).

    The interval is not clipped: for shares close to 0 or 1 it may stick out. Equal values give an interval of
    width 0, which says that the runs agree, not that nothing is uncertain.

    Raises:
        ValueError: with fewer than two values there is no spread to measure.
    """
    values = [float(value) for value in values]
    if len(values) < 2:
        raise ValueError(f"an interval over seeds needs at least 2 values, got {len(values)}.")
    mean = fmean(values)
    half = t_quantile(confidence, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def effective_length(results: Iterable[Scored], threshold: float = 0.99) -> int:
    """The largest tested length up to which *every* tested length has an exact match of at least `threshold`.

    The length of a scale with several hints is its largest hint. A length that fails ends the count, even if
    a longer one is solved again. 0 if the shortest tested length fails already, or nothing was tested.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is a share above 0 and at most 1, got {threshold}.")
    scores = [(max(result.n), result.exact_match) for result in results]
    # A mean over seeds that equals the threshold may come out a rounding error below it.
    failed = min((size for size, score in scores if score < threshold - 1e-9), default=math.inf)
    return max((size for size, _ in scores if size < failed), default=0)


def extrapolation_factor(results: Iterable[Scored], n_max: int, threshold: float = 0.99) -> float:
    """`effective_length` in units of the longest training length `n_max` (>= 1)."""
    if n_max < 1:
        raise ValueError(f"n_max, the longest training length, is at least 1, got {n_max}.")
    return effective_length(results, threshold) / n_max


def _inside(theta: float, freedom: int) -> float:
    """P(|T| <= sqrt(freedom) tan(theta))."""
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(2 + odd, freedom + 1, 2):  # even: 1, 1/2 c^2, 1*3/(2*4) c^4 …   odd: c, 2/3 c^3, 2*4/(3*5) c^5 …
        total += term
        term *= (k - 1) / k * cosine * cosine
    return 2 / math.pi * (theta + sine * total) if odd else sine * total


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is a share strictly between 0 and 1, such as 0.95, got {confidence}.")
