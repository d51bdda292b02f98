"""Relations that LBPE learned against those that a task needs: precision and recall."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..evaluation.table import markdown
from ..model.relation import LinearRelation
from ..tasks import get_task

OTHER = "other"


@dataclass(frozen=True)
class Comparison:
    """One run.

    Attributes:
        name: of the run; seed: its seed; against: what it is compared with.
        precision: share of the learned relations (all heads together) that are wanted.
        recall: share of the wanted relations that some head learned.
        head_precision: the same as precision, but counting every open gate of every head.
        learned, wanted: the sets, readable.
    """

    name: str
    seed: int
    against: str
    precision: float
    recall: float
    head_precision: float
    learned: tuple[str, ...]
    wanted: tuple[str, ...]


def precision_recall(relations: Sequence[Sequence[Sequence[Any]]], wanted: Iterable[str], hints: int = 1):
    """(precision, recall, head_precision) of `model.relations()`, or of a result's field of that name.

    Relations are compared as equations, not as text. `other` is never wanted. Nothing learned: precision 1, recall 0.

    Raises:
        ValueError: nothing is wanted, or a relation cannot be read.
    """
    goal = {_read(text, hints) for text in wanted}
    if not goal:
        raise ValueError("there are no wanted relations to compare with.")
    gates = [_read(pair[0], hints) for layer in relations for head in layer for pair in head]
    learned = set(gates)
    precision = len(learned & goal) / len(learned) if learned else 1.0
    share = sum(gate in goal for gate in gates) / len(gates) if gates else 1.0
    return precision, len(learned & goal) / len(goal), share


def compare_learned(results: Iterable, discovered: dict | None = None) -> list[Comparison]:
    """Precision and recall per run, against the task's ideal relations and the discovered ones.

    Args:
        results: `Result`s; those without learned relations are left out.
        discovered: filled with what was discovered per task and training length (a cache; optional).

    Raises:
        ValueError: no result has learned relations.
    """
    from .discovery import discover

    cache = {} if discovered is None else discovered
    rows = []
    for result in results:
        if result.relations is None:
            continue
        task = get_task(result.task, **result.task_options)
        hinted = result.scale_hint != "none"
        key = (result.task, str(sorted(task.options.items())), result.n_max, hinted)
        if key not in cache:
            cache[key] = discover(task, n_max=result.n_max, scale_hint=hinted)
        sets = [("ideal", task.ideal_relations)] if task.ideal_relations else []
        if cache[key].sets:
            # Several smallest sets are equally good: the one nearest to what was learned counts.
            texts = [tuple(str(r) for r in chosen) for chosen in cache[key].sets]
            best = max(texts, key=lambda t: sum(precision_recall(result.relations, t, task.hints)[:2]))
            sets.append(("discovered", best))
        learned = sorted({pair[0] for layer in result.relations for head in layer for pair in head})
        for against, wanted in sets:
            scores = precision_recall(result.relations, wanted, task.hints)
            rows.append(Comparison(result.name, result.seed, against, *scores, tuple(learned), tuple(wanted)))
    if not rows:
        raise ValueError("no result has learned relations to compare (only LBPE learns any).")
    return rows


def comparison_table(rows: Sequence[Comparison]) -> str:
    """As Markdown."""
    head = ["run", "against", "precision", "recall", "precision over all gates", "learned", "wanted"]
    cells = [
        [r.name, r.against, f"{r.precision:.2f}", f"{r.recall:.2f}", f"{r.head_precision:.2f}", str(len(r.learned))]
        + [str(len(r.wanted))]
        for r in rows
    ]
    return markdown(head, cells, left=2)


def _read(text: str, hints: int):
    return OTHER if text == OTHER else LinearRelation.parse(text, hints).normalized()
