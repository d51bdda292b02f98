"""The dictionary of relations, and which token each of them reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from ..model.position_learned import LearnedOptions, relation_dictionary
from ..model.relation import LinearRelation
from .rows import Rows

_STRIDES = (2, 3, 4, 5)  # tokens of the answer per token of the prompt, or the other way round


def build_dictionary(hints: int = 1, scale_hint: bool = True, **options) -> list[LinearRelation]:
    """The dictionary of an LBPE with these `position_options` (forms, window, largest_scale, segments).

    Args:
        hints: number of Scale Hints.
        scale_hint: False leaves out every relation that needs one.

    Raises:
        ValueError: what LBPE refuses.
    """
    config = SimpleNamespace(num_scale_hints=hints, scale_hint="prompt" if scale_hint else "none")
    checked = LearnedOptions(**options)
    checked.validate(config)
    return relation_dictionary(checked, config)


def dictionaries(hints: int, scale_hint: bool = True) -> list[tuple[str, list[LinearRelation]]]:
    """The dictionaries that discovery tries in turn, with their names.

    "default": LBPE's own, with segments where there are several hints. "wide": that with window 3 and the stride
    i - 2j (two tokens of the answer for one of the prompt). "strides": that with p·i - j and i - p·j, p = 2, …, 5.
    """
    segments = tuple(range(hints)) if hints > 1 and scale_hint else ()
    default = build_dictionary(hints, scale_hint, segments=segments)
    scales = sorted({r.c for r in default})
    wide = build_dictionary(hints, scale_hint, segments=segments, window=3)

    def strides(a: int, b: int) -> list[LinearRelation]:
        found = [LinearRelation(a, b, c, d) for c in scales for d in range(-3, 4)]
        return [r for r in found if not r.never_holds]

    wide = list(dict.fromkeys(wide + strides(1, -2)))
    most = list(dict.fromkeys(wide + [r for p in _STRIDES for r in strides(1, -p) + strides(p, -1)]))
    return [("default", default), ("wide", wide), ("strides", most)]


def chain(relations: Sequence[LinearRelation]) -> list[LinearRelation]:
    """The relations, and those that two of them make one after the other: what a position reads that has been read.

    i - j = 1 and then i - j = n + 2 is i - j = n + 3. Where the first names no whole position (b other than ±1), or
    either speaks of a segment, nothing is added.
    """
    plain = [r for r in relations if r.segment is None]
    made = list(relations)
    for first in plain:
        if abs(first.b) != 1:
            continue
        for second in plain:
            # first: j' = (d - a·i - c·n) / b, put in place of i into second.
            factor = second.a * first.b
            c = tuple(y - factor * x for x, y in zip(first.c, second.c, strict=True))
            relation = LinearRelation(-factor * first.a, second.b, c, second.d - factor * first.d).normalized()
            if not relation.never_holds:
                made.append(relation)
    return list(dict.fromkeys(made))


def complexity(relation: LinearRelation) -> tuple:
    """Sort key: simpler relations first, for choosing among those that read the same."""
    size = abs(relation.a) + abs(relation.b) - 2 * (relation.segment is not None)
    return (
        sum(map(abs, relation.c)) + abs(relation.d) + size + 3 * (relation.a == 0) + 3 * (relation.a == relation.b),
        str(relation),
    )


@dataclass(frozen=True)
class Reads:
    """What every relation reads at every query that is asked.

    Attributes:
        columns: (Q, K) code of the token read, NOTHING where the relation holds nowhere.
        target: (Q,) code of the next token.
        row, query: (Q,) where that is.
        n: (Q,) the row's largest hint.
    """

    columns: np.ndarray
    target: np.ndarray
    row: np.ndarray
    query: np.ndarray
    n: np.ndarray

    def __len__(self) -> int:
        return len(self.target)


def read_keys(rows: Rows, relation: LinearRelation, row: np.ndarray, query: np.ndarray) -> np.ndarray:
    """(Q,) the position that the relation names for each query, -1 where there is none in 0..query.

    Raises:
        ValueError: a segment relation, and the rows have no delimiters.
    """
    if relation.segment is None:
        rest = relation.d - relation.a * query - rows.scales[row] @ np.array(relation.c, dtype=np.int64)
        key, remainder = np.divmod(rest, relation.b)
        return np.where((remainder == 0) & (key >= 0) & (key <= query), key, -1)
    if rows.boundaries is None:
        raise ValueError(f"the relation {relation} speaks of a segment, but the rows have no delimiters.")
    marks = rows.boundaries[row]
    gaps = query[:, None] - marks.reshape(len(row), -1)
    offset = np.where(gaps < 0, query[:, None], gaps).min(axis=1) - relation.d
    start, end = marks[:, relation.segment, 0], marks[:, relation.segment, 1]
    key = start + offset
    return np.where((offset > 0) & (key < end) & (key <= query), key, -1)


def read_rows(rows: Rows, relations: Sequence[LinearRelation]) -> Reads:
    """What the relations read in these rows."""
    row, query = np.nonzero(rows.asked)
    kind = np.uint8 if len(rows.names) <= 256 else np.int32
    columns = np.zeros((len(relations), len(row)), dtype=kind)
    for k, relation in enumerate(relations):
        key = read_keys(rows, relation, row, query)
        columns[k] = np.where(key >= 0, rows.tokens[row, np.maximum(key, 0)], 0)
    return Reads(columns.T, rows.tokens[row, query + 1], row, query, rows.largest[row])
