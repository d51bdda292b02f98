"""Intervals and summaries: Wilson score, Student t and bootstrap over seeds, effective length, extrapolation factor,
area under the extrapolation curve.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from statistics import NormalDist, fmean, stdev
from typing import Protocol

THRESHOLDS = (0.99, 0.95, 0.9, 0.5)


class Scored(Protocol):
    """What `effective_length` needs of a result: the scale and the share of right answers."""

    @property
    def n(self) -> Sequence[int]: ...

    @property
    def exact_match(self) -> float: ...


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


def bootstrap(
    values: Iterable[float],
    confidence: float = 0.95,
    statistic: Callable[[list[float]], float] = fmean,
    samples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """A statistic of a few runs and its percentile bootstrap interval (Efron 1979): (statistic, low, high).

    The runs are drawn anew, with replacement, `samples` times; the interval is what the middle `confidence` of the
    statistics span. It stays inside the range of the values, and with three runs or fewer it hardly says more than
    that range: their number limits it, not `samples`.

    Raises:
        ValueError: no values, a confidence outside (0, 1), samples below 1.
    """
    values = [float(value) for value in values]
    _check_confidence(confidence)
    if not values or samples < 1:
        raise ValueError(f"bootstrap needs at least 1 value and 1 sample, got {len(values)} and {samples}.")
    draw = random.Random(seed)
    found = sorted(statistic(draw.choices(values, k=len(values))) for _ in range(samples))
    cut = (1 - confidence) / 2
    low, high = (found[min(samples - 1, math.floor(share * samples))] for share in (cut, 1 - cut))
    return statistic(values), low, high


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


def effective_lengths(results: Iterable[Scored], thresholds: Sequence[float] = THRESHOLDS) -> dict[float, int]:
    """`effective_length` at every threshold."""
    results = list(results)
    return {threshold: effective_length(results, threshold) for threshold in thresholds}


def extrapolation_factor(results: Iterable[Scored], n_max: int, threshold: float = 0.99) -> float:
    """`effective_length` in units of the longest training length `n_max` (>= 1)."""
    if n_max < 1:
        raise ValueError(f"n_max, the longest training length, is at least 1, got {n_max}.")
    return effective_length(results, threshold) / n_max


def extrapolation_area(results: Iterable[Scored], n_max: int, up_to: int) -> float:
    """Mean exact match beyond the training lengths, every doubling of the length counting the same: the area under the
    curve over log n from `n_max` to `up_to`, divided by its width. 1: all solved, 0: nothing.

    Between tested lengths the curve is a straight line over log n; before the first one it is that one's value. A last
    one that is 0 stays 0: a run may have been stopped there.

    Args:
        results: of scales with different sizes (the size of a scale is its largest hint).
        n_max: longest training length, >= 1.
        up_to: end of the range, > n_max.

    Raises:
        ValueError: nothing was tested, `up_to` is not above `n_max`, or the last tested length is below `up_to` and
            not 0; two results of one size.
    """
    points = sorted((max(result.n), result.exact_match) for result in results)
    sizes = [size for size, _ in points]
    if not 1 <= n_max < up_to:
        raise ValueError(f"the area needs 1 <= n_max < up_to, got n_max={n_max}, up_to={up_to}.")
    if not points or len(set(sizes)) < len(sizes):
        raise ValueError("the area needs results of at least one length, and one result a length.")
    if sizes[-1] < up_to and points[-1][1] > 0:
        raise ValueError(f"the area up to {up_to} needs a result there: the last one, at {sizes[-1]}, is not 0.")
    ends = [n_max, *(size for size in sizes if n_max < size < up_to), up_to]
    heights = [_height(points, end) for end in ends]
    area = 0.0
    for (x0, y0), (x1, y1) in zip(
        zip(ends, heights, strict=True), zip(ends[1:], heights[1:], strict=True), strict=False
    ):
        area += math.log(x1 / x0) * (y0 + y1) / 2
    return area / math.log(up_to / n_max)


def _height(points: list[tuple[int, float]], size: int) -> float:
    """The curve through sorted points at a size, straight over the logarithm, constant outside."""
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        if x0 <= size < x1:
            return y0 + (y1 - y0) * math.log(size / x0) / math.log(x1 / x0)
    return points[0][1] if size < points[0][0] else points[-1][1]


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
