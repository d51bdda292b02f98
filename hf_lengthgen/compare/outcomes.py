"""What a comparison has found so far: its results, pair by pair, and what they come to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median_low

from ..evaluation.curves import Curve, Point, by_reach, make_curves, point_at
from ..evaluation.labels import HINTS
from ..evaluation.result import Result
from ..evaluation.statistics import extrapolation_area
from ..tasks import get_task
from .grid import Cell, Grid
from .layout import Layout, changed_setting

Scale = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """A task and a variant.

    Attributes:
        label: what tables and figures call the variant.
        cells: one per seed.
        results: of the finished ones, by seed.
    """

    task: str
    variant: str
    label: str
    cells: tuple[Cell, ...]
    results: tuple[Result, ...]

    @property
    def missing(self) -> int:
        """Seeds without a result."""
        return len(self.cells) - len(self.results)

    @cached_property
    def curve(self) -> Curve | None:
        """None without results."""
        if not self.results:
            return None
        (curve,) = make_curves(self.results)
        # The label without its hint: with and without, an embedding has one colour, and two variants of it have two.
        family = self.label.removesuffix(HINTS[curve.first.scale_hint])
        return dataclasses.replace(curve, label=self.label, family=family)

    @property
    def n_range(self) -> tuple[int, int]:
        """Shortest and longest training length: what the runs have met or, without results, the settings' own."""
        if self.curve is None:
            return self.cells[0].config.n_min, self.cells[0].config.n_max
        return self.curve.n_min, self.curve.n_max

    def reaches(self, threshold: float) -> list[int]:
        """The effective length of every finished run."""
        return self.curve.reaches(threshold) if self.curve is not None else []

    def reach(self, threshold: float) -> int | None:
        """The lower median of them, which is one of them; None without results."""
        return median_low(self.reaches(threshold)) if self.results else None

    def areas(self, scales: Sequence[Scale]) -> list[float]:
        """The area under the extrapolation curve of every finished run (`extrapolation_area`), up to the last of these
        scales; over those with equal hints, where there are any. [] where they reach no further than training, where a
        run was not tested up to there, or where two of them have one size: the curve has no single height there.
        """
        diagonal = [scale for scale in scales if len(set(scale)) == 1] or list(scales)
        sizes = [max(scale) for scale in diagonal]
        n_max, up_to = self.n_range[1], max(sizes, default=0)
        if up_to <= n_max or len(set(sizes)) < len(sizes):
            return []
        areas = []
        for result in self.results:
            points = [point for scale in diagonal if (point := point_at(scale, [result])).values]
            if not points or (points[-1].exact_match and max(points[-1].n) < up_to):
                return []
            areas.append(extrapolation_area(points, n_max, up_to))
        return areas

    def at(self, scale: Scale) -> Point | None:
        """All finished runs at a scale, those stopped before it as 0; None without results."""
        return point_at(scale, self.results) if self.results else None


@dataclass(frozen=True)
class Outcomes:
    """A comparison's pairs and what is missing.

    Attributes:
        pairs: (task, variant) -> Pair, for every pair of the grid.
        stale: result files that were made under other settings than the grid's; they are left out.
    """

    grid: Grid
    pairs: dict[tuple[str, str], Pair]
    stale: tuple[str, ...] = ()

    @property
    def results(self) -> list[Result]:
        return [result for pair in self.pairs.values() for result in pair.results]

    @property
    def missing(self) -> list[Cell]:
        """Cells without a result, in the order of the grid."""
        found = {(p.task, p.variant, result.seed) for p in self.pairs.values() for result in p.results}
        return [cell for cell in self.grid.cells if (cell.task, cell.variant, cell.seed) not in found]

    def of_task(self, task: str) -> list[Pair]:
        return [pair for (own, _), pair in self.pairs.items() if own == task]

    def scales(self, task: str) -> list[Scale]:
        """What is evaluated on a task, by growing length."""
        found = set()
        for cell in {cell.pair: cell for cell in self.grid.cells if cell.task == task}.values():
            built = get_task(cell.config.task, **cell.config.task_options)
            found |= {built.expand(n) for n in [*cell.config.eval_lengths, *cell.config.long_lengths]}
        return sorted(found, key=lambda scale: (max(scale), scale))

    def largest(self, task: str) -> Scale | None:
        """The last of these scales; None without any."""
        return next(reversed(self.scales(task)), None)

    def curves(self, task: str, threshold: float) -> list[Curve]:
        """Of the pairs of a task with results, farthest reach first."""
        return by_reach((pair.curve for pair in self.of_task(task) if pair.curve is not None), threshold)


def gather(grid: Grid, layout: Layout) -> Outcomes:
    """Read the results of a comparison's cells.

    Raises:
        ValueError: a damaged result file.
    """
    stale = []
    pairs = {}
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in grid.cells:
        groups.setdefault((cell.task, cell.variant), []).append(cell)
    for task in grid.tasks:
        for variant in grid.variants:
            cells = groups.get((task, variant))
            if cells is None:
                continue
            results = []
            for cell in cells:
                result = layout.finished(cell, check=False)
                if result is None:
                    continue
                if changed_setting(cell, result):
                    stale.append(str(layout.result(cell)))
                else:
                    results.append(result)
            pairs[task, variant] = Pair(task, variant, grid.labels[variant], tuple(cells), tuple(results))
    return Outcomes(grid, pairs, tuple(stale))
