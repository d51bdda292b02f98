"""How long rows are: range, weights, curriculum and priming."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..tasks import Task
from ..tasks.task import Scale, check_integer


@dataclass(frozen=True)
class Lengths:
    """The distribution of scales. By default every hint is uniform in [n_min, n_max], independently of the others.

    Attributes:
        n_min, n_max: integers; or tuples, one entry per hint, for scales of several dimensions: n_max=(12, 4) for
            up to 4 operands of up to 12 digits.
        length_weights: relative frequencies of n_min, n_min + 1, ..., n_max, as a sequence; or a mapping n ->
            weight, in which missing n have weight 0. Every hint is drawn by them.
        curriculum: a growing n_max, {0: 4, 1000: 8}: n_max is 4 from the start and 8 from 1000 on. What is counted
            are the steps of `OnlineBatches`; in data sets rows, block by block: a block takes what holds at its first
            row. Weights keep their proportions among the lengths allowed.
        priming_share: share of the rows that are long instead (the priming of arXiv 2306.15400).
        priming_n: how long these are: an integer, or a pair (least, largest) between which every hint is uniform.

    Raises:
        ValueError: a bad range, weights that do not fit it, a curriculum that does not start at 0 or leaves the
            range, or a priming share without a priming length.
    """

    n_min: Scale = 1
    n_max: Scale = 12
    length_weights: Any = None
    curriculum: Any = None
    priming_share: float = 0.0
    priming_n: Any = None

    def __post_init__(self) -> None:
        for name in ("n_min", "n_max"):
            value = getattr(self, name)
            if isinstance(value, tuple | list):
                for entry in value:
                    check_integer(name, entry, 1)
                self._set(name, tuple(map(int, value)))
            else:
                check_integer(name, value, 1)
                self._set(name, int(value))
        if isinstance(self.n_min, tuple) and isinstance(self.n_max, tuple) and len(self.n_min) != len(self.n_max):
            raise ValueError(f"n_min and n_max must have equally many entries, got {self.n_min} and {self.n_max}")
        if any(least > most for least, most in self._ranges(self.n_max)):
            raise ValueError(f"n_min must not exceed n_max, got n_min={self.n_min}, n_max={self.n_max}")
        self._set("length_weights", self._read_weights())
        self._set("curriculum", self._read_curriculum())
        self._set("priming_n", self._read_priming())

    @property
    def largest(self) -> int:
        """The largest n that may occur."""
        ends = [most for _, most in self._ranges(self.n_max)]
        return max(ends if self.priming_n is None else (*ends, self.priming_n[1]))

    def reached(self, count: int) -> tuple[int, int]:
        """The smallest and largest n that the first `count` steps, or rows, may have."""
        ranges = self._ranges(self.n_max_at(max(count - 1, 0)))
        least, most = min(start for start, _ in ranges), max(end for _, end in ranges)
        if self.length_weights is not None:
            drawn = self.n_min + np.flatnonzero(self.length_weights[: most - self.n_min + 1])
            least, most = int(drawn[0]), int(drawn[-1])
        if self.priming_n is None:
            return least, most
        return min(least, self.priming_n[0]), max(most, self.priming_n[1])

    def check(self, task: Task) -> None:
        """Raise ValueError if the ranges do not have one entry per hint of the task."""
        for value in (self.n_min, self.n_max):
            if isinstance(value, tuple):
                task.expand(value)

    def n_max_at(self, at: int) -> Scale:
        """The n_max that the curriculum gives to a step or row."""
        reached = [n_max for start, n_max in self.curriculum or () if start <= at]
        return reached[-1] if reached else self.n_max

    def draw(self, task: Task, count: int, rng: np.random.Generator, at: int = 0) -> np.ndarray:
        """Scales of `count` rows, int64 (count, hints); `at` is the step, or the number of the first row."""
        n_max = self.n_max_at(at)
        if self.length_weights is not None:
            (least, most), *_ = self._ranges(n_max)
            weights = self.length_weights[: most - least + 1]
            sums = np.cumsum(weights)
            places = np.searchsorted(sums, rng.random((count, task.hints)) * sums[-1], side="right")
            scales = least + np.minimum(places, np.flatnonzero(weights)[-1])  # a product may round up to the sum
        elif isinstance(self.n_min, tuple) or isinstance(n_max, tuple):
            least, most = np.array(self._ranges(n_max)).T
            least = np.maximum(least, task.least)
            most = np.maximum(most, least)
            scales = rng.integers(least, most, size=(count, task.hints), endpoint=True)
        else:
            scales = task.draw_scales(self.n_min, n_max, count, rng)
        if self.priming_n is not None:
            long = rng.random(count) < self.priming_share
            scales[long] = rng.integers(*self.priming_n, size=(int(long.sum()), task.hints), endpoint=True)
        return np.maximum(scales, task.least)

    def settings(self) -> dict[str, Any]:
        """The attributes that differ from their defaults: keyword arguments that give an equal object."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    # ---- reading the arguments

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _ranges(self, n_max: Scale) -> list[tuple[int, int]]:
        """(least, largest) of every hint, or of all of them at once."""
        hints = max(len(end) if isinstance(end, tuple) else 1 for end in (self.n_min, n_max))
        ends = [end if isinstance(end, tuple) else (end,) * hints for end in (self.n_min, n_max)]
        return list(zip(*ends, strict=True))

    def _read_weights(self) -> tuple[float, ...] | None:
        given = self.length_weights
        if given is None:
            return None
        if isinstance(self.n_min, tuple) or isinstance(self.n_max, tuple):
            raise ValueError("length_weights need one range: give n_min and n_max as integers")
        span = range(self.n_min, self.n_max + 1)
        if isinstance(given, Mapping):
            foreign = sorted(set(given) - set(span))
            if foreign:
                raise ValueError(f"length_weights has n = {foreign[0]}, outside {span[0]} to {span[-1]}")
            given = [given.get(n, 0) for n in span]
        try:
            weights = tuple(float(weight) for weight in given)
        except (TypeError, ValueError):
            raise ValueError(f"length_weights must be numbers, got {given!r}") from None
        if len(weights) != len(span):
            raise ValueError(f"length_weights must have {len(span)} entries, one per n, got {len(weights)}")
        if not all(0 <= weight < float("inf") for weight in weights) or not sum(weights):
            raise ValueError("length_weights must not be negative, and one of them must be positive")
        return weights

    def _read_curriculum(self) -> tuple[tuple[int, int], ...] | None:
        given = self.curriculum
        if given is None:
            return None
        if isinstance(self.n_min, tuple) or isinstance(self.n_max, tuple):
            raise ValueError("a curriculum needs one range: give n_min and n_max as integers")
        pairs: Iterable = given.items() if isinstance(given, Mapping) else given
        try:
            steps = tuple((start, n_max) for start, n_max in pairs)
        except (TypeError, ValueError):
            raise ValueError(f"a curriculum is a mapping start -> n_max, got {given!r}") from None
        for start, n_max in steps:
            check_integer("a start in the curriculum", start, 0)
            check_integer("an n_max in the curriculum", n_max, self.n_min)
            if n_max > self.n_max:
                raise ValueError(f"the curriculum has n_max = {n_max}, which exceeds n_max={self.n_max}")
        starts = [start for start, _ in steps]
        if not steps or starts[0] != 0 or any(a >= b for a, b in zip(starts, starts[1:], strict=False)):
            raise ValueError(f"the starts of a curriculum must begin with 0 and grow, got {starts}")
        if self.length_weights is not None and not sum(self.length_weights[: steps[0][1] - self.n_min + 1]):
            raise ValueError(f"length_weights leave no length up to {steps[0][1]}, where the curriculum starts")
        return tuple((int(start), int(n_max)) for start, n_max in steps)

    def _read_priming(self) -> tuple[int, int] | None:
        share, given = self.priming_share, self.priming_n
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"priming_share must lie between 0 and 1, got {share!r}")
        if (share == 0) != (given is None):
            raise ValueError(f"priming_share and priming_n go together, got {share!r} and {given!r}")
        if given is None:
            return None
        ends = tuple(given) if isinstance(given, tuple | list) else (given, given)
        if len(ends) != 2:
            raise ValueError(f"priming_n is an integer or a pair (least, largest), got {given!r}")
        for end in ends:
            check_integer("priming_n", end, 1)
        if ends[0] > ends[1]:
            raise ValueError(f"the first entry of priming_n must not exceed the second, got {given!r}")
        return int(ends[0]), int(ends[1])
