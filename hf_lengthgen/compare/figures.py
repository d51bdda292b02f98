"""The figures of a comparison: curves per task, and a heat map of tasks x variants."""

from __future__ import annotations

from typing import Any

from .outcomes import Outcomes
from .tables import THRESHOLD, reach_text


def task_figure(outcomes: Outcomes, task: str) -> Any:
    """A matplotlib Figure with the curves of a task; None if it has no results with a tested length."""
    from ..evaluation.plot import curves_figure, trained_on

    curves = [curve for curve in outcomes.curves(task, THRESHOLD) if curve.points]
    if not curves:
        return None
    return curves_figure(curves, f"{task}: {trained_on(curves)}", THRESHOLD)


def heat_map(outcomes: Outcomes) -> Any:
    """A matplotlib Figure: effective length (median over the seeds) by colour and number, tasks down.

    None if there is no length to test.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    tasks, variants = outcomes.grid.tasks, outcomes.grid.variants
    largest = max((max(scale) for task in tasks for scale in outcomes.scales(task)), default=None)
    if largest is None:
        return None
    trained = min(pair.n_range[1] for pair in outcomes.pairs.values())
    norm = LogNorm(vmin=min(trained, largest / 2) / 2, vmax=largest)
    figure = Figure(figsize=(2.6 + 0.66 * len(variants), 1.9 + 0.42 * len(tasks)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("white")
    for row, task in enumerate(tasks):
        for column, variant in enumerate(variants):
            pair = outcomes.pairs.get((task, variant))
            reach = None if pair is None else pair.reach(THRESHOLD)
            if reach is None:
                face, ink, text = "white", "#999999", "" if pair is None else "?"
            else:
                face = _colour(reach, norm)
                ink = "white" if sum(face[:3]) < 1.6 else "#222222"
                text = reach_text(pair).partition(" ")[0]
            axes.fill([column, column + 1, column + 1, column], [row, row, row + 1, row + 1], color=face, linewidth=0)
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9, color=ink)
    axes.set_xlim(0, len(variants))
    axes.set_ylim(len(tasks), 0)
    axes.set_xticks(
        [c + 0.5 for c in range(len(variants))], [outcomes.grid.labels[v] for v in variants], rotation=40, ha="right"
    )
    axes.set_yticks([r + 0.5 for r in range(len(tasks))], tasks)
    axes.tick_params(length=0, labelsize=9)
    for line in range(1, len(variants)):
        axes.axvline(line, color="white", linewidth=1.5)
    for line in range(1, len(tasks)):
        axes.axhline(line, color="white", linewidth=1.5)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(
        f"longest length solved in ≥ {100 * THRESHOLD:g}% of the examples, median over the seeds\n"
        f"(tested up to {largest:,}; 0: not even the shortest; blank: not compared; ?: not run yet)",
        loc="left",
        fontsize=10,
    )
    return figure


def _colour(reach: float, norm: Any) -> tuple[float, ...]:
    """White for 0, then darker with the logarithm of the length."""
    from matplotlib import colormaps

    return colormaps["Blues"](0.0 if reach <= 0 else 0.15 + 0.85 * float(norm(max(reach, norm.vmin))))
