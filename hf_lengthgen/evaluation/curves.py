"""From results of single runs to one curve per variant, over its seeds.

A run that was stopped because it solved nothing at some length was not tested beyond it. Leaving it out there
would average over the survivors only, so it counts as 0 at every larger length, and the point says how many
runs were counted so.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from .labels import variant_name
from .result import Result
from .statistics import effective_length, t_interval

_SAME = ("n_min", "n_max", "steps", "batch_size")
_ABSENT = object()
# Settings in which the runs of a variant may differ: what is tested is told point by point.
_OF_A_RUN = (
    *("seed", "init_from", "stop_at_zero", "eval_seed"),
    *("eval_lengths", "eval_examples", "long_lengths", "long_examples"),
)


@dataclass(frozen=True)
class Point:
    """A variant at one scale.

    Attributes:
        n: the scale.
        values: exact match of each run that was tested here, and 0 for each that had solved nothing before.
        stopped: how many of the values are such zeros.
        missing: how many runs have no value here, without having been stopped.
        modes: how it was measured: "generate", "teacher" or both.
    """

    n: tuple[int, ...]
    values: tuple[float, ...]
    stopped: int
    missing: int
    modes: frozenset[str]

    @property
    def exact_match(self) -> float:
        """Mean over the runs (0 to 1)."""
        return fmean(self.values)

    @property
    def half_width(self) -> float | None:
        """Half the 95% t-interval over the runs; None for a single run."""
        if len(self.values) < 2:
            return None
        mean, low, _ = t_interval(self.values)
        return mean - low


@dataclass(frozen=True)
class Curve:
    """A variant: results that differ in their seed only, and their points by growing scale."""

    label: str
    family: str
    results: tuple[Result, ...]
    points: tuple[Point, ...]

    @property
    def first(self) -> Result:
        """Any of the runs: what they have in common can be read there."""
        return self.results[0]

    @property
    def n_min(self) -> int:
        """Shortest training length of any run."""
        return min(result.n_min for result in self.results)

    @property
    def n_max(self) -> int:
        """Longest training length of any run."""
        return max(result.n_max for result in self.results)

    def reaches(self, threshold: float = 0.99) -> list[int]:
        """The effective length of every run."""
        return [effective_length(result.by_scale(), threshold) for result in self.results]

    def reach(self, threshold: float = 0.99) -> int:
        """`effective_length` of the mean over the runs; a point that lacks runs ends it."""
        scored = [point for point in self.points if not point.missing]
        gaps = [point for point in self.points if point.missing]
        end = min((max(point.n) for point in gaps), default=math.inf)
        return effective_length([point for point in scored if max(point.n) < end], threshold)

    def area(self) -> float:
        """Area under the mean over log n, over all points: tells curves of one reach apart."""
        area = 0.0
        points = [(math.log(max(point.n)), point.exact_match) for point in self.points]
        for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
            area += (x1 - x0) * (y0 + y1) / 2
        return area


def by_reach(curves: Iterable[Curve], threshold: float = 0.99) -> list[Curve]:
    """Farthest reach first, then the largest area, then by label."""
    return sorted(curves, key=lambda curve: (-curve.reach(threshold), -curve.area(), curve.label))


def make_curves(results: Iterable[Result]) -> list[Curve]:
    """One curve per (task, embedding, hint, options), those that reach farthest first.

    Options are named in a label only where two variants would otherwise share it.

    Raises:
        ValueError: no results; two runs of a variant with one seed; runs of a variant that differ in training
            lengths or another setting than the seed, or in the number of scale hints.
    """
    groups: dict[tuple, list[Result]] = defaultdict(list)
    for result in results:
        groups[_key(result)].append(result)
    if not groups:
        raise ValueError("there is nothing to compare: no results were given.")
    for group in groups.values():
        _check(group)
    curves = []
    for group in groups.values():
        first = group[0]
        rivals = [other[0] for other in groups.values() if _variant(other[0]) == _variant(first)]
        options = _telling_options(first, rivals)
        cut = [variant_name(r.position_embedding, r.scale_hint, _telling_options(r, rivals)) for r in rivals]
        whole = len(set(cut)) < len(cut)
        curves.append(
            Curve(
                label=variant_name(first.position_embedding, first.scale_hint, options, whole=whole),
                family=variant_name(first.position_embedding, "none", options, whole=whole),
                results=tuple(sorted(group, key=lambda result: result.seed)),
                points=_points(group),
            )
        )
    return by_reach(curves)


def _variant(result: Result) -> tuple[str, str, str]:
    return result.task, result.position_embedding, result.scale_hint


def _key(result: Result) -> tuple[str, ...]:
    options = [json.dumps(options, sort_keys=True) for options in (result.task_options, result.position_options)]
    return (*_variant(result), *options)


def _check(group: list[Result]) -> None:
    first = group[0]
    name = f"{first.task} with {variant_name(first.position_embedding, first.scale_hint)}"
    for key in _SAME:  # as set: a run that was stopped early may have met less of its curriculum
        values = sorted({result.settings.get(key, getattr(result, key)) for result in group})
        if len(values) > 1:
            raise ValueError(f"runs of {name} differ in {key} ({values[0]} and {values[1]}): they cannot be averaged.")
    for key in sorted(set().union(*(result.settings for result in group)).difference(_OF_A_RUN)):
        values = [result.settings[key] for result in group if key in result.settings]
        if any(value != values[0] for value in values):
            other = next(value for value in values if value != values[0])
            raise ValueError(f"runs of {name} differ in {key} ({values[0]} and {other}): they cannot be averaged.")
    hints = sorted({len(score.n) for result in group for score in result.lengths})
    if len(hints) > 1:
        counts = " and ".join(map(str, hints))
        raise ValueError(f"runs of {name} differ in the number of scale hints ({counts}): they cannot be averaged.")
    seeds = sorted(result.seed for result in group)
    for seed in seeds:
        if seeds.count(seed) > 1:
            raise ValueError(f"seed {seed} of {name} is given {seeds.count(seed)} times.")


def _telling_options(result: Result, rivals: list[Result]) -> dict:
    """The options whose value is not the same in all rivals."""
    telling = {}
    for field in ("task_options", "position_options"):
        for key in sorted({key for rival in rivals for key in getattr(rival, field)}):
            values = [getattr(rival, field).get(key, _ABSENT) for rival in rivals]
            own = getattr(result, field).get(key, _ABSENT)
            if any(value != own for value in values) and own is not _ABSENT:
                telling[key] = own
    return telling


def _points(group: list[Result]) -> tuple[Point, ...]:
    scales = sorted({tuple(result.n) for run in group for result in run.lengths}, key=lambda n: (max(n), n))
    return tuple(point_at(scale, group) for scale in scales)


def point_at(scale: tuple[int, ...], group: Sequence[Result]) -> Point:
    """Runs of one variant at one scale; a run stopped before counts as 0. Point.values is empty if none has one."""
    measured = [found for run in group if (found := run.at(scale)) is not None]
    others = [run for run in group if run.at(scale) is None]
    stopped = sum(_stopped_before(run, scale) for run in others)
    return Point(
        n=scale,
        values=tuple(result.exact_match for result in measured) + (0.0,) * stopped,
        stopped=stopped,
        missing=len(others) - stopped,
        modes=frozenset(result.mode for result in measured),
    )


def _stopped_before(run: Result, scale: tuple[int, ...]) -> bool:
    """Whether the run solved nothing at some smaller scale, nor at any tested scale beyond that one."""
    return any(
        zero.correct == 0
        and _within(zero.n, scale)
        and not any(later.correct for later in run.lengths if _within(zero.n, later.n))
        for zero in run.lengths
    )


def _within(small: Sequence[int], large: Sequence[int]) -> bool:
    return all(a <= b for a, b in zip(small, large, strict=True))
