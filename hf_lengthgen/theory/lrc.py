"""Linear Representation Complexity (LRC) [2510.04130; the computable definition is ours].

LRC_φ(A; n): the number of classes of φ that carry a non-zero value of the target A at scales <= n, if A is constant on
the classes; otherwise infinite. The target here is what a set of relations reads: A = Σ_r A_r, A_r an operator of its
own on the pairs (i, j) for which relation r holds.

An embedding with several heads (a head each for c = 0, 1, 2, …, φ_c = i - c·n - j) has several functions φ. Each A_r is
then given to the head on whose classes it is constant and needs fewest of them; the count is over all heads. An
embedding of fixed weights (ALiBi) is no partition but one feature: its LRC is 1 if A is proportional to it, else
infinite.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..evaluation.plot import check_format, save_figure
from ..model.relation import LinearRelation
from ..tasks import Task
from .pola import Level
from .prf import Prf, alibi, ape, holds, ipe, lbpe, nope, parse, rpe, t5

HEADS = 4  # shifts c = 0, …, 3 of the embeddings with a hint


def lrc_curve(
    prfs: Prf | Sequence[Prf], relations: Iterable[str | LinearRelation], levels: Sequence[Level]
) -> list[float]:
    """LRC up to each of these scales (math.inf where A is not constant on the classes).

    Args:
        prfs: one φ, or one per head.
        levels: scale after scale, with the supervised query positions; keys are all j <= i.

    Raises:
        ValueError: no relations, or no scales.
    """
    heads = [prfs] if isinstance(prfs, Prf) else list(prfs)
    targets = parse(relations)
    if not targets or not levels:
        raise ValueError("LRC needs at least one relation and one scale.")
    # Per relation and head: class -> whether it carries the relation; None once it does so for some pairs only.
    carried: list[list[dict | None]] = [[{} for _ in heads] for _ in targets]
    ratios: list[set[float]] = [set() for _ in heads]
    curve = []
    for level in levels:
        n = level.n
        for i in level.rows:
            for j in range(i + 1):
                held = [holds(r, i, j, n) for r in targets]
                for h, prf in enumerate(heads):
                    if prf.weights is not None:
                        ratios[h].add(round(sum(held) / prf.weights(i, j, n), 9))
                        continue
                    z = prf(i, j, n)
                    for classes, value in zip(carried, held, strict=True):
                        if classes[h] is not None and classes[h].setdefault(z, value) != value:
                            classes[h] = None
        curve.append(_count(heads, carried, ratios))
    return curve


def _count(heads: list[Prf], carried, ratios) -> float:
    fixed = [h for h, prf in enumerate(heads) if prf.weights is not None]
    if any(len(ratios[h]) <= 1 for h in fixed):
        return 1
    used: set[tuple] = set()
    for classes in carried:
        options = [
            {(h, z) for z, value in known.items() if value}
            for h, known in enumerate(classes)
            if known is not None and h not in fixed
        ]
        if not options:
            return math.inf
        used |= min(options, key=len)
    return len(used)


def task_levels(task: Task, n_max: int) -> list[Level]:
    """Scales 1, …, n_max of a task of one hint, or as many as it has, with the positions of its supervised queries.

    The n of a level is the hint, as relations mean it: index hints, say, double the characters that it counts.

    Raises:
        ValueError: the task has several hints.
    """
    if task.hints != 1:
        raise ValueError(f"LRC curves need a task of one scale; {task.name!r} has {task.hints}.")
    levels = []
    for scale in range(1, n_max + 1):
        try:
            (prompt, answer), (n,) = task.lengths(scale), task.hint(task.expand(scale))
        except ValueError:  # the task ends here: its symbols are used up, or its width is
            break
        levels.append(Level(n, prompt + answer + 1, tuple(range(prompt, prompt + answer + 1))))
    return levels


def standard_prfs(relations: Iterable[str | LinearRelation]) -> dict[str, Prf | list[Prf]]:
    """The PRFs that are compared, each without and with the Scale Hint, for a target of these relations."""
    targets = parse(relations)
    plain = [r for r in targets if not r.uses_scale]
    shifts = range(HEADS)
    return {
        "NoPE": nope(),
        "APE": ape(),
        "RPE": rpe(),
        "RPE + hint": [rpe(c) for c in shifts],
        "T5 buckets": t5(),
        "T5 buckets + hint": [t5(shift=c) for c in shifts],
        "ALiBi": alibi(),
        "ALiBi + hint": [alibi(shift=c) for c in shifts],
        "IPE": ipe(plain),
        "IPE + hint": ipe(targets),
        # The relations of LBPE overlap and their operators add up: each is a φ of its own.
        "LBPE": [lbpe([r]) for r in plain] or nope(),
        "LBPE + hint": [lbpe([r]) for r in targets],
    }


def lrc_curves(task: Task, relations: Iterable[str | LinearRelation], n_max: int = 24) -> dict[str, list[float]]:
    """LRC at scales 1..n_max under `standard_prfs`, for what the relations read in a task."""
    targets, levels = parse(relations), task_levels(task, n_max)
    return {name: lrc_curve(prfs, targets, levels) for name, prfs in standard_prfs(targets).items()}


def plot_lrc(curves: dict[str, list[float]], path: str | os.PathLike, title: str = "") -> Path:
    """Draw LRC curves (.svg or .png), a row each: most of them lie on one another, or are infinite.

    The line of a row goes as far as its LRC is finite; numbers stand where it changes, and "∞" where it ends.

    Raises:
        ValueError: another file type.
    """
    check_format(path)  # before anything is drawn
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.8 + 0.3 * len(curves)), layout="constrained")
    axes = figure.subplots()
    for row, curve in enumerate(curves.values()):
        finite = [n for n, value in enumerate(curve, 1) if value < math.inf]
        bounded = len(finite) == len(curve)
        axes.plot(finite, [row] * len(finite), color="#D55E00" if bounded else "#7F7F7F", lw=3, solid_capstyle="round")
        before = None
        for n, value in enumerate(curve, 1):
            if value != before:
                text = "∞" if math.isinf(value) else f"{value:.0f}"
                axes.text(n, row - 0.12, text, ha="center", va="bottom", fontsize=8)
                before = value
    last = max(map(len, curves.values()))
    axes.set(xlabel="scale n", xlim=(0.5, last + 0.5), ylim=(len(curves) - 0.5, -0.8), title=title)
    axes.set_yticks(range(len(curves)), list(curves), fontsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return save_figure(figure, path)
