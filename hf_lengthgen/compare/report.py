"""The report of a comparison (README.md, report.html, table.csv, summary.csv, figures), from its result files alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ..evaluation.scale import scale_text
from ..evaluation.table import Table
from ..files import write_text
from ..tasks import get_task
from . import html, tables
from .equality import equality_text
from .figures import heat_map, task_figure
from .grid import Grid
from .layout import Layout
from .outcomes import Outcomes, gather

FIGURES = "figures"


@dataclasses.dataclass(frozen=True)
class Section:
    """What the report says of one task; figure and table are None where nothing is finished."""

    name: str
    about: str
    table: Table | None
    figure: Any


def write_report(grid: Grid, layout: Layout, command: str) -> Outcomes:
    """Write README.md, report.html, table.csv, summary.csv and figures/ into `layout.output_dir`.

    command: what to type to make all results. Returns what the report is made of.

    Raises:
        ValueError: a damaged result file.
    """
    outcomes = gather(grid, layout)
    folder = layout.output_dir
    folder.mkdir(parents=True, exist_ok=True)
    figures = _draw(outcomes, folder / FIGURES)
    write_text(folder / "table.csv", tables.csv_text(outcomes))
    write_text(folder / "summary.csv", tables.summary_csv(outcomes))
    write_text(folder / "README.md", _readme(outcomes, figures, command))
    write_text(folder / "report.html", _page(outcomes, figures, folder, command))
    return outcomes


def _draw(outcomes: Outcomes, folder: Path) -> dict[str, str]:
    """Figures by what they show: a task, or "" for the heat map. Values are paths relative to the report."""
    from ..evaluation.plot import save_figure

    drawn = {task: task_figure(outcomes, task) for task in outcomes.grid.tasks}
    if outcomes.results:
        drawn[""] = heat_map(outcomes)
    made = {}
    for name, figure in drawn.items():
        if figure is not None:
            made[name] = f"{FIGURES}/{name or 'heat_map'}.svg"
            save_figure(figure, folder / f"{name or 'heat_map'}.svg")
    return made


def _readme(outcomes: Outcomes, figures: dict[str, str], command: str) -> str:
    parts = [
        f"# Comparison `{outcomes.grid.name}`",
        _summary(outcomes),
        f"Made by `{command}`. The same figures and tables in one page that opens offline: `report.html`, which the "
        f"command writes beside this; one line per cell and length: `table.csv`; one line per task and variant, with "
        f"effective lengths at 99, 95, 90 and 50% and the area under the curve: `summary.csv`; every cell's own result "
        f"file: `<task>/<variant>/seed<k>.json`.",
        "## Effective length",
        tables.reach_note(outcomes),
        f"![effective length]({figures['']})" if "" in figures else "",
        tables.reach_table(outcomes).markdown(),
        "## Exact match at the largest length",
        _largest_note(outcomes),
        tables.largest_table(outcomes).markdown(),
    ]
    for task in outcomes.grid.tasks:
        parts += [f"## {task}", _about(outcomes, task)]
        table = tables.task_table(outcomes, task)
        if table is None:
            parts.append("No cell of this task is finished yet.")
        else:
            parts += [f"![{task}]({figures[task]})", table.markdown()]
    parts += [
        "## In what results of this literature differ",
        tables.fairness_table(outcomes).markdown(),
        "## Versions and cost",
        tables.cost_text(outcomes),
        tables.versions_table(outcomes).markdown(),
        "## What is missing",
        tables.missing_text(outcomes),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _page(outcomes: Outcomes, figures: dict[str, str], folder: Path, command: str) -> str:
    def svg(name: str, prefix: str) -> Any:
        return html.inline_svg(folder / figures[name], prefix) if name in figures else None

    sections = []
    for index, task in enumerate(outcomes.grid.tasks):
        table = tables.task_table(outcomes, task)
        sections.append(Section(task, _about(outcomes, task), table, svg(task, f"f{index}")))
    return html.render(
        title=f"Comparison {outcomes.grid.name}",
        summary=_summary(outcomes),
        command=command,
        heat=svg("", "heat"),
        reach=tables.reach_table(outcomes),
        reach_note=tables.reach_note(outcomes),
        largest=tables.largest_table(outcomes),
        largest_note=_largest_note(outcomes),
        sections=sections,
        fairness=tables.fairness_table(outcomes),
        versions=tables.versions_table(outcomes),
        cost=tables.cost_text(outcomes),
        missing=tables.missing_text(outcomes),
    )


def _summary(outcomes: Outcomes) -> str:
    grid = outcomes.grid
    total, finished = len(grid.cells), len(outcomes.results)
    seeds = sorted({len(pair.cells) for pair in outcomes.pairs.values()})
    runs = tables.counted(seeds[0], "seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    state = "all finished" if finished == total else f"{finished} finished, {total - finished} missing"
    return (
        f"{tables.counted(len(grid.variants), 'variant')} on {tables.counted(len(grid.tasks), 'task')}, {runs} each: "
        f"{tables.counted(total, 'cell')}, {state}. {equality_text(grid)}"
    )


def _largest_note(outcomes: Outcomes) -> str:
    largest = {scale_text(scale) for task in outcomes.grid.tasks if (scale := outcomes.largest(task)) is not None}
    if not largest:
        return "No length is tested."
    return (
        f"At n = {' or '.join(sorted(largest))}: mean exact match in % over all seeds, with the lowest and highest "
        f"in parentheses where they differ. A run that had solved nothing at a shorter length was not tested here "
        f"and counts as 0; "
        f"–: not tested, for another reason."
    )


def _about(outcomes: Outcomes, task: str) -> str:
    """Format, steps, and whether the number of operators is known to be constant."""
    configs = [cell.config for cell in outcomes.grid.cells if cell.task == task]
    built = get_task(configs[0].task, **configs[0].task_options)
    ranges = " or ".join(f"{low}..{high}" for low, high in sorted({pair.n_range for pair in outcomes.of_task(task)}))
    steps = " to ".join(f"{s:,}" for s in sorted({c.steps for c in configs}))
    trained = f"Trained on n = {ranges}, {steps} steps."
    return f"{built.summary[:1].upper()}{built.summary[1:]} {trained} SRC: {built.src_verdict}"
