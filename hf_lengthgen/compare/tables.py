"""The tables of a comparison, as cells of text and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from typing import Any

from ..evaluation.curves import point_at
from ..evaluation.labels import with_knowledge
from ..evaluation.report import curves_table
from ..evaluation.result import FAIRNESS, Result
from ..evaluation.scale import percent, scale_text
from ..evaluation.statistics import THRESHOLDS, bootstrap
from ..evaluation.table import Table
from .estimate import duration, wall_seconds
from .outcomes import Outcomes, Pair

THRESHOLD = 0.95
NONE = "·"  # the comparison has no such pair
COLUMNS = (
    "task", "variant", "position_embedding", "scale_hint", "seed", "n", "examples", "correct", "exact_match", "ci_low",
    "ci_high", "mode", "tested", "parameters", "train_seconds",
)  # fmt: skip


def reach_table(outcomes: Outcomes) -> Table:
    """Effective length: tasks down, variants across."""
    return _matrix(outcomes, reach_text)


def headline_table(outcomes: Outcomes) -> Table:
    """Effective length: variants down, farthest sum of reaches first, tasks across; then what the numbers are."""
    labels, tasks = outcomes.grid.labels, outcomes.grid.tasks

    def total(variant: str) -> int:
        pairs = (outcomes.pairs.get((task, variant)) for task in tasks)
        return sum(pair.reach(THRESHOLD) for pair in pairs if pair is not None and pair.results)

    rows = []
    for variant in sorted(outcomes.grid.variants, key=total, reverse=True):
        pairs = [outcomes.pairs.get((task, variant)) for task in tasks]
        rows.append((labels[variant], *(NONE if pair is None else reach_text(pair) for pair in pairs)))
    return Table(["variant", *tasks], rows, note=reach_note(outcomes))


def reach_note(outcomes: Outcomes) -> str:
    """What `reach_text` shows."""
    unfinished = len(outcomes.results) < len(outcomes.grid.cells)
    return (
        f"Per run, the largest tested length up to which every tested length has an exact match of at least "
        f"{100 * THRESHOLD:g}%; 0: not even the shortest. Shown is the (lower) median over all seeds, with "
        f"the lowest and highest in parentheses where they differ. "
        f"{'[2/3]: two of three seeds are finished; ?: none; ' if unfinished else ''}{NONE}: not compared."
    )


def reach_text(pair: Pair) -> str:
    """ "200", "200 (24–500)" where seeds differ, "200 [2/3]" where seeds are missing, "?" without any."""
    if not pair.results:
        return "?"
    reaches = pair.reaches(THRESHOLD)
    text = str(pair.reach(THRESHOLD))
    if min(reaches) != max(reaches):
        text += f" ({min(reaches)}–{max(reaches)})"
    return text + _seeds(pair)


def largest_table(outcomes: Outcomes) -> Table:
    """Exact match at the largest length: tasks down, variants across."""

    def cell(pair: Pair) -> str:
        if not pair.results:
            return "?"
        largest = outcomes.largest(pair.task)
        point = None if largest is None else pair.at(largest)
        if point is None or not point.values:
            return "–"
        low, high = min(point.values), max(point.values)
        spread = f" ({percent(low)}–{percent(high)})" if low != high else ""
        return percent(point.exact_match) + spread + _seeds(pair)

    return _matrix(outcomes, cell)


def task_table(outcomes: Outcomes, task: str) -> Table | None:
    """Variants down, lengths across, with intervals and a line that says what the numbers are; None without results."""
    curves = outcomes.curves(task, THRESHOLD)
    tested = {point.n for curve in curves for point in curve.points}
    scales = [scale for scale in outcomes.scales(task) if scale in tested]
    return curves_table(curves, scales, THRESHOLD, spread="range") if tested else None


def fairness_table(outcomes: Outcomes) -> Table:
    """The five things in which results of this literature differ, each value with what it holds for."""
    rows = []
    for field in FAIRNESS:
        holders: dict[str, list[str]] = {}
        for pair in outcomes.pairs.values():
            name = pair.task if field == "format" else pair.label
            for result in pair.results:
                names = holders.setdefault(_fairness(field, result, pair), [])
                if name not in names:
                    names.append(name)
        for value, names in holders.items():
            rows.append((field.replace("_", " "), value, "all" if len(holders) == 1 else ", ".join(names)))
    return Table(["", "value", "of"], rows, left=3)


def _fairness(field: str, result: Result, pair: Pair) -> str:
    value = result.fairness[field]
    if field == "seeds":
        return f"{counted(len(pair.cells), 'run')} a pair, all finished ones counted"
    if field == "checkpoint":
        return value.partition(" (")[0]  # in parentheses: where the run's own best validation was
    if field == "extra_knowledge":
        return with_knowledge(value, result.position_embedding)  # older runs told of the hint alone
    return value


def versions_table(outcomes: Outcomes) -> Table:
    """How often each commit, version and device made a result."""
    counts: dict[str, Counter] = {}
    for result in outcomes.results:
        stated = {"commit": result.commit or "unknown"} | result.versions
        stated |= {"device": result.hardware.get("device", "unknown")}
        for key, value in stated.items():
            counts.setdefault(key, Counter())[value] += 1
    rows = [
        (key, ", ".join(value if len(found) == 1 else f"{value} ({counted(n, 'cell')})" for value, n in found.items()))
        for key, found in counts.items()
    ]
    return Table(["", "value"], rows, left=2)


def cost_text(outcomes: Outcomes) -> str:
    """One sentence: time, memory, model size."""
    results = outcomes.results
    if not results:
        return ""
    peaks = [result.peak_memory_mb for result in results if result.peak_memory_mb is not None]
    sizes = sorted({result.parameters for result in results})
    between = " to ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1])))
    memory = f" Largest memory of a cell: {max(peaks):,.0f} MiB." if peaks else ""
    return (
        f"{counted(len(results), 'cell')} took {duration(sum(map(wall_seconds, results)))} of wall time, one thread "
        f"each.{memory} Models have {between} parameters."
    )


def missing_text(outcomes: Outcomes) -> str:
    """What the comparison lacks, counted by pair."""
    total, missing = len(outcomes.grid.cells), outcomes.missing
    lines = []
    if not missing:
        lines.append("Nothing: every cell is finished.")
    else:
        lines.append(f"{len(missing)} of {total} cells are not finished; every mean is over the seeds there are:")
        lines.append("")
        counts = Counter(cell.pair for cell in missing)
        for task in outcomes.grid.tasks:
            named = [
                f"{pair.variant} ({counts[pair.cells[0].pair]} of {len(pair.cells)})"
                for pair in outcomes.of_task(task)
                if counts[pair.cells[0].pair]
            ]
            if named:
                lines.append(f"- {task}: {', '.join(named)}")
    if outcomes.stale:
        lines += ["", f"Left out, since they were made under other settings: {', '.join(outcomes.stale)}."]
    return "\n".join(lines)


def csv_text(outcomes: Outcomes) -> str:
    """One line per cell and length. A length that was not tested, since the run had solved nothing at a shorter one,
    has exact_match 0 and tested = no.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for pair in outcomes.pairs.values():
        for result in pair.results:
            common = {
                "task": pair.task,
                "variant": pair.variant,
                **{key: getattr(result, key) for key in ("position_embedding", "scale_hint", "seed", "parameters")},
                "train_seconds": "" if result.train_seconds is None else round(result.train_seconds, 1),
            }
            for scale in outcomes.scales(pair.task):
                score = result.at(scale)
                if score is not None:
                    keys = ("examples", "correct", "exact_match", "ci_low", "ci_high", "mode")
                    row = {key: getattr(score, key) for key in keys} | {"tested": "yes"}
                    row |= {key: round(row[key], 6) for key in ("exact_match", "ci_low", "ci_high")}
                elif point_at(scale, [result]).stopped:
                    row = {"exact_match": 0.0, "tested": "no"}
                else:
                    continue
                writer.writerow(common | {"n": scale_text(scale)} | row)
    return file.getvalue()


def summary_csv(outcomes: Outcomes) -> str:
    """One line per pair: effective lengths (lower median over the seeds) and the extrapolation factor at 95%, exact
    match at the largest length and the area under the extrapolation curve, each a mean with a bootstrap interval over
    the seeds. Empty where there is no value; one seed has no interval.
    """
    file = io.StringIO()
    reaches = {f"effective_length_{100 * threshold:g}": threshold for threshold in THRESHOLDS}
    means = [f"{name}{end}" for name in ("largest", "area") for end in ("", "_low", "_high")]
    head = ["task", "variant", "label", "seeds", "finished", *reaches, "extrapolation_factor_95", "largest_n", *means]
    writer = csv.DictWriter(file, head, lineterminator="\n")
    writer.writeheader()
    for pair in outcomes.pairs.values():
        largest = outcomes.largest(pair.task)
        row: dict[str, Any] = {
            "task": pair.task,
            "variant": pair.variant,
            "label": pair.label,
            "seeds": len(pair.cells),
            "finished": len(pair.results),
            "largest_n": "" if largest is None else scale_text(largest),
        }
        if pair.results and largest is not None:
            row |= {name: pair.reach(threshold) for name, threshold in reaches.items()}
            row["extrapolation_factor_95"] = round(pair.reach(THRESHOLD) / pair.n_range[1], 3)
            areas = pair.areas(outcomes.scales(pair.task))
            for name, values in (("largest", pair.at(largest).values), ("area", areas)):
                if values:
                    mean, *interval = bootstrap(values)
                    row[name] = round(mean, 6)
                    if len(values) > 1:
                        row |= {name + end: round(x, 6) for end, x in zip(("_low", "_high"), interval, strict=True)}
        writer.writerow(row)
    return file.getvalue()


def _matrix(outcomes: Outcomes, text: Callable[[Pair], str]) -> Table:
    labels, variants = outcomes.grid.labels, outcomes.grid.variants
    rows = []
    for task in outcomes.grid.tasks:
        pairs = [outcomes.pairs.get((task, variant)) for variant in variants]
        rows.append((task, *(NONE if pair is None else text(pair) for pair in pairs)))
    return Table(["task", *(labels[variant] for variant in variants)], rows)


def counted(number: int, noun: str) -> str:
    """ "1 cell", "2 cells"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _seeds(pair: Pair) -> str:
    return f" [{len(pair.results)}/{len(pair.cells)}]" if pair.missing else ""
