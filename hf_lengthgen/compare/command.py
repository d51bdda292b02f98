"""`lengthgen compare`."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

DESCRIPTION = """Runs every task with every variant and every seed of a comparison (a YAML file), several runs at a
time, and writes result files, tables, figures and a page that opens offline.

A finished cell (task/variant/seed) is never repeated, an interrupted one goes on where it stopped: to work in
instalments, stop with Ctrl-C or --time_limit and give the same command again. A failed cell is tried again then."""
EPILOG = """examples:
  lengthgen compare main --list                            what there is to do, and how long it may take
  lengthgen compare main --time_limit 60                   an instalment of an hour
  lengthgen compare main --only copy parity/rope --seeds 0 a part of it
  lengthgen compare main --report_only                     the report of what is finished

Settings such as --steps 20 hold for every cell and win over the file."""


# What a mode would ignore, and why.
_IDLE = {
    "list": (("report_only", "redo", "keep_models", "time_limit"), "which runs nothing and writes nothing"),
    "report_only": (
        ("only", "seeds", "redo", "keep_models", "time_limit", "jobs"),
        "which runs nothing and reports all that is finished",
    ),
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add `compare` to the subparsers of the command line."""
    parser = commands.add_parser(
        "compare", help="tasks x variants x seeds from one YAML file, with a report", description=DESCRIPTION,
        epilog=EPILOG,
    )  # fmt: skip
    parser.add_argument("grid", help="a YAML file, or the name of a packaged comparison such as main")
    parser.add_argument("--output_dir", metavar="FOLDER", help="results and report (default: results/NAME)")
    parser.add_argument("--work_dir", metavar="FOLDER", help="runs at work, and logs (default: runs/NAME)")
    parser.add_argument("--jobs", type=int, help="cells at a time (default: one per GPU, or per CPU core)")
    parser.add_argument("--time_limit", type=float, metavar="MINUTES", help="start no cell after so many minutes")
    parser.add_argument("--only", nargs="+", default=[], metavar="PLACE", help="task/variant, task or variant")
    parser.add_argument("--seeds", nargs="+", type=int, default=[], metavar="SEED", help="only these seeds")
    parser.add_argument("--redo", action="store_true", help="run cells again whose settings have changed")
    parser.add_argument(
        "--keep_models",
        action="store_true",
        help="keep every cell's model, as work_dir/TASK/VARIANT/seedK.DIGEST/model (default: results only)",
    )
    parser.add_argument("--list", action="store_true", help="say what there is to do, run nothing")
    parser.add_argument("--report_only", action="store_true", help="write the report of what is finished")
    parser.add_argument(
        "--write_into",
        metavar="FILE",
        help="with --report_only: also replace the table in a Markdown file between <!-- table: NAME --> (the "
        "comparison's name) and <!-- /table -->",
    )
    parser.set_defaults(run=run)
    return parser


def run(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    """Runs the command; `rest` are settings for every cell.

    Raises:
        ValueError, OSError: bad input. CellsFailed, ComparisonInterrupted: exit code 1.
    """
    from .grid import check_cells, load_grid
    from .job import import_words
    from .layout import Layout

    _check_options(chosen)
    if chosen.jobs is not None and chosen.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {chosen.jobs}.")
    if chosen.time_limit is not None and not chosen.time_limit >= 0:
        raise ValueError(f"--time_limit is a number of minutes, got {chosen.time_limit}.")
    if chosen.write_into is not None and not chosen.report_only:
        raise ValueError("--write_into goes with --report_only.")
    grid = load_grid(chosen.grid, rest)
    layout = Layout(Path(chosen.output_dir or f"results/{grid.name}"), Path(chosen.work_dir or f"runs/{grid.name}"))
    part = grid.choose(chosen.only, chosen.seeds)
    place = [] if chosen.output_dir is None else ["--output_dir", chosen.output_dir]
    again = shlex.join(["lengthgen", *import_words(chosen.modules), "compare", chosen.grid, *place, *rest])
    if chosen.list:
        print(listing(part, layout, chosen.jobs))
        return
    if chosen.report_only:
        from ..evaluation.report import replace_table
        from .report import write_report
        from .tables import headline_table

        outcomes = write_report(grid, layout, again)
        if chosen.write_into is not None:
            replace_table(chosen.write_into, grid.name, headline_table(outcomes).markdown())
        print(f"{len(outcomes.results)} of {len(grid.cells)} cells; {layout.output_dir / 'README.md'} written.")
        return

    from ..files import check_writable
    from .devices import slots, visible_devices
    from .report import write_report
    from .runner import CellsFailed, check_finished, run_cells

    check_cells(part)
    for name in ("output_dir", "work_dir"):
        check_writable(getattr(layout, name), OSError, name)
    if not chosen.redo:
        check_finished(part.cells, layout)
    try:
        outcome = run_cells(
            part.cells,
            layout,
            slots(chosen.jobs, visible_devices()),
            time_limit=None if chosen.time_limit is None else 60 * chosen.time_limit,
            redo=chosen.redo,
            keep_models=chosen.keep_models,
            modules=chosen.modules,
            command=lambda cell: f"{again} --only {cell.pair} --seeds {cell.seed}",
        )
    finally:
        # Whatever has happened, the report says what there is.
        outcomes = write_report(grid, layout, again)
    print(f"{len(outcomes.results)} of {len(grid.cells)} cells; {layout.output_dir / 'README.md'} written.")
    if outcome.left:
        print(f"The time is up: {len(outcome.left)} cells are left; the same command goes on.", file=sys.stderr)
    if outcome.failed:
        first, reason = next(iter(outcome.failed.items()))
        raise CellsFailed(f"{len(outcome.failed)} cells failed, the first of them {first}: {reason}")


def _check_options(chosen: argparse.Namespace) -> None:
    """ValueError for an option that the mode would ignore."""
    for mode, (names, why) in _IDLE.items():
        for name in names if getattr(chosen, mode) else ():
            value = getattr(chosen, name)
            if value is not None and value is not False and value != []:
                raise ValueError(f"--{name} does not go with --{mode}, {why}.")


def listing(grid: Any, layout: Any, jobs: int | None) -> str:
    """Per task the variants with finished and all cells; then the sums, and a rough time.

    Raises:
        ValueError: a damaged result file.
    """
    from .devices import slots, visible_devices
    from .estimate import Estimate, duration, wall_seconds
    from .layout import changed_setting

    finished, stale = {}, 0
    for cell in grid.cells:
        result = layout.finished(cell, check=False)
        if result is not None and changed_setting(cell, result):
            stale += 1
        elif result is not None:
            finished[cell] = wall_seconds(result)
    estimate = Estimate(finished)
    lines = []
    for task in grid.tasks:
        cells = [cell for cell in grid.cells if cell.task == task]
        counts = []
        for variant in grid.variants:
            own = [cell for cell in cells if cell.variant == variant]
            if own:
                counts.append(f"{variant} {sum(cell in finished for cell in own)}/{len(own)}")
        left = [cell for cell in cells if cell not in finished]
        lines.append(f"{task}: {len(cells)} cells, {len(left)} left, about {duration(estimate.total(left))}")
        lines.append("  " + ", ".join(counts))
    left = [cell for cell in grid.cells if cell not in finished]
    total = estimate.total(left)
    at_once = len(slots(jobs, visible_devices()))
    lines.append(
        f"{len(grid.cells)} cells, {len(finished)} finished, {len(left)} left: about {duration(total)} of one core, "
        f"{duration(total / at_once)} with {at_once} at a time."
    )
    if stale:
        have, them = ("has a result that was", "it") if stale == 1 else ("have results that were", "them")
        lines.append(f"{stale} of them {have} made under other settings; --redo runs {them} again.")
    return "\n".join(lines)
