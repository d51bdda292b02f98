"""Tasks with two scale hints: exact match over (first hint, second hint), as a table and as a figure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .curves import Curve
from .scale import percent
from .statistics import Scored
from .table import markdown


@dataclass(frozen=True)
class LengthGrid:
    """Exact match by two hints, such as the widths of two operands, or their width and number.

    Attributes:
        rows, columns: tested values of the first and of the second hint, growing.
        values: values[r][c], None where that pair was not tested.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    values: tuple[tuple[float | None, ...], ...]


def grid_scales(rows: Sequence[int], columns: Sequence[int]) -> list[tuple[int, int]]:
    """All pairs, those whose larger hint is small first: the lengths to hand to `evaluate_lengths`.

    Raises:
        ValueError: a repeated value (it would be evaluated twice), or none.
    """
    for name, values in (("rows", rows), ("columns", columns)):
        if not values or len(set(values)) < len(values):
            raise ValueError(f"{name} of a grid are different lengths, at least one, got {list(values)}.")
    return sorted(((n0, n1) for n0 in rows for n1 in columns), key=lambda scale: (max(scale), scale))


def length_grid(results: Iterable[Scored]) -> LengthGrid:
    """The grid of results with two hints each.

    Raises:
        ValueError: no results, one with another number of hints, two of one scale.
    """
    found: dict[tuple[int, ...], float] = {}
    for result in results:
        scale = tuple(result.n)
        if len(scale) != 2:
            raise ValueError(f"a grid is made of scales with two hints, got {list(scale)}.")
        if scale in found:
            raise ValueError(f"a grid has one result a scale, got several of {list(scale)}.")
        found[scale] = result.exact_match
    if not found:
        raise ValueError("there is nothing to make a grid of: no results were given.")
    rows, columns = (tuple(sorted({scale[axis] for scale in found})) for axis in (0, 1))
    return LengthGrid(rows, columns, tuple(tuple(found.get((n0, n1)) for n1 in columns) for n0 in rows))


def curve_grid(curve: Curve) -> LengthGrid | None:
    """The grid of a variant's means over its seeds; None unless it was tested, by all its runs, at all pairs of at
    least two first and two second hints. Single pairs say more in a row than in a grid full of holes."""
    points = [point for point in curve.points if not point.missing]
    rows, columns = ({point.n[axis : axis + 1] for point in points} for axis in (0, 1))
    if any(len(point.n) != 2 for point in points) or min(len(rows), len(columns)) < 2:
        return None
    return length_grid(points) if len(points) == len(rows) * len(columns) else None


def grid_table(grid: LengthGrid) -> str:
    """A Markdown table in percent: the first hint down, the second across; "–" where not tested."""
    rows = [
        [str(n0), *("–" if value is None else percent(value) for value in values)]
        for n0, values in zip(grid.rows, grid.values, strict=True)
    ]
    return markdown(["n0 \\ n1", *map(str, grid.columns)], rows, left=0)


def grid_figure(grid: LengthGrid, n_max: int | None = None, title: str = "") -> Any:
    """A matplotlib Figure: a heat map with the percentages in it, the square of the training lengths framed.

    n_max: longest training length of both hints; None: no frame.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    rows, columns = len(grid.rows), len(grid.columns)
    figure = Figure(figsize=(1.6 + 0.6 * columns, 1.5 + 0.45 * rows), layout="constrained")
    axes = figure.add_subplot()
    for r, values in enumerate(grid.values):
        for c, value in enumerate(values):
            face = "white" if value is None else colormaps["Blues"](value)
            ink = "#222222" if value is None or value < 0.6 else "white"
            axes.fill([c, c + 1, c + 1, c], [r, r, r + 1, r + 1], color=face, linewidth=0)
            text = "" if value is None else percent(value)
            axes.text(c + 0.5, r + 0.5, text, ha="center", va="center", color=ink, fontsize=9)
    if n_max is not None:
        inside = [sum(n <= n_max for n in hints) for hints in (grid.columns, grid.rows)]
        if all(inside):
            right, down = inside
            axes.plot([0, right, right, 0, 0], [0, 0, down, down, 0], color="#D55E00", linewidth=2, clip_on=False)
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    axes.set_xticks([c + 0.5 for c in range(columns)], [f"{n:,}" for n in grid.columns])
    axes.set_yticks([r + 0.5 for r in range(rows)], [f"{n:,}" for n in grid.rows])
    axes.tick_params(length=0, labelsize=9)
    axes.set_xlabel("second hint")
    axes.set_ylabel("first hint")
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(title or "exact match in %", loc="left", fontsize=10)
    return figure
