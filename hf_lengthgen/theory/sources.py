"""Where the rows of discovery come from: a task draws as many as are wanted, a data set has what it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..tasks import Task
from .rows import Rows, task_rows

_QUERIES = 40_000  # tokens to be predicted in the rows that are searched
_MOST_QUERIES = 1_600_000  # and at most so many to see every tuple of a found set
_TOO_LONG = 4_000  # characters of a row: longer scales are not held out


@dataclass
class Source:
    """`more(round)` gives rows of n <= n_max, in round 0 those to search; None when there are no more.

    Here n is what the hint counts, which is what relations speak of; a task's scale may be another number.
    """

    hints: int
    n_max: int
    more: Callable[[int], Rows | None]
    fresh: Rows
    held_out: Rows


def task_source(task: Task, n_max: int, held_out: Sequence[int], seed: int) -> Source:
    """Rows drawn from a task. Scales of several hints: every pair of scales up to n_max is too many, 40 are drawn."""
    if n_max < 2:
        raise ValueError(f"discovery compares scales, so n_max must be at least 2, not {n_max}.")

    def scales(low: int, high: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
        if task.hints == 1:
            return [(n,) for n in range(low, high + 1)]
        return [tuple(row) for row in task.draw_scales(low, high, 40, rng).tolist()]

    def more(number: int) -> Rows | None:
        if _QUERIES << max(0, number - 1) > _MOST_QUERIES:
            return None
        rng = np.random.default_rng([seed, 1, number])
        drawn = scales(1, n_max, rng)
        return task_rows(task, drawn, (_QUERIES << max(0, number - 1)) // len(drawn), rng)

    rng = np.random.default_rng([seed, 2])
    short = scales(max(1, n_max // 2), n_max, rng)
    fresh = task_rows(task, short, 3000 // len(short), rng)
    long_scales = []
    for n in held_out:
        if task.hints == 1:
            long_scales.append((n,))
        else:
            long_scales += [
                (n,) * task.hints,
                *(tuple(rng.permutation([n, *[max(1, n // 3)] * (task.hints - 1)]).tolist()) for _ in range(2)),
            ]
    usable = []
    for scale in long_scales:
        try:
            if sum(task.lengths(scale)) <= _TOO_LONG:
                usable.append(scale)
        except ValueError:  # a format of fixed width has no longer scales
            continue
    if not usable:
        raise ValueError(f"task {task.name!r} has no scale beyond n_max = {n_max} that can be held out.")
    longest = max(task.hint(task.expand(n_max)))
    return Source(task.hints, longest, more, fresh, task_rows(task, usable, 3000, rng))


def dataset_source(rows: Rows, n_max: int | None, seed: int) -> Source:
    """Rows of a data set: those up to n_max (by default the median of the scales that occur) are searched, but for a
    tenth; that tenth and the longer ones are held out."""
    scales = np.unique(rows.largest)
    if len(scales) < 2:
        raise ValueError(f"discovery compares scales, but all rows have n = {scales.tolist()[0]}.")
    if n_max is None:
        n_max = int(scales[(len(scales) - 1) // 2])
    short = rows.largest <= n_max
    if short.all() or not short.any():
        raise ValueError(
            f"n_max = {n_max} leaves no rows on one side; the scales that occur are {scales[0]} to {scales[-1]}."
        )
    index = np.random.default_rng([seed, 3]).permutation(np.flatnonzero(short))
    fresh, searched = index[: len(index) // 10], index[len(index) // 10 :]
    if not len(fresh):
        fresh = searched
    given = rows.take(np.sort(searched))
    return Source(rows.hints, n_max, lambda number: given if number == 0 else None, rows.take(fresh), rows.take(~short))


def default_held_out(n_max: int) -> list[int]:
    """Scales beyond n_max at which the operator table is tested."""
    return sorted({n_max + 1, n_max + 3, 2 * n_max, 4 * n_max, 8 * n_max})


def without_cot(task: Task) -> Task | None:
    """The task without its chain of thought; None where it has none."""
    cot = task.options.get("cot")
    if cot is None or cot in (False, "none"):
        return None
    return type(task)(**{**task.options, "cot": False})
