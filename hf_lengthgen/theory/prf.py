"""Position relation functions φ(i, j, n) [2510.04130]: which pairs of positions share parameters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..model.relation import LinearRelation
from ..tasks.task import Scale

OTHER = "other"


def as_scale(n: Scale) -> tuple[int, ...]:
    """A scale as a tuple: (n,) for one hint."""
    return n if isinstance(n, tuple) else (n,)


@dataclass(frozen=True)
class Prf:
    """A position relation function.

    Attributes:
        name: what it is called.
        function: (i, j, n) -> relation value, hashable; with `overlapping` a tuple of values, one per relation that
            holds (as in LBPE), possibly empty.
        overlapping: a pair may have several values, each with an operator of its own; the operators add up.
        weights: for an embedding of fixed weights the weight of every pair, (i, j, n) -> float: one feature, whose
            only free parameter multiplies all pairs (ALiBi).
    """

    name: str
    function: Callable[[int, int, Scale], Any]
    overlapping: bool = False
    weights: Callable[[int, int, Scale], float] | None = None

    def __call__(self, i: int, j: int, n: Scale) -> Hashable:
        """The class of a pair: its relation value, or the tuple of its values."""
        return self.function(i, j, n)

    def features(self, i: int, j: int, n: Scale) -> tuple[Hashable, ...]:
        """The relation values of a pair, each of which has an operator."""
        value = self.function(i, j, n)
        return value if self.overlapping else (value,)

    def weight(self, i: int, j: int, n: Scale) -> float:
        """What a pair counts with in each of its values: 1 but for an embedding of fixed weights."""
        return 1 if self.weights is None else self.weights(i, j, n)


def nope() -> Prf:
    """No position embedding: one value for all pairs j <= i."""
    return Prf("NoPE", lambda i, j, n: 0)


def ape() -> Prf:
    """Absolute: φ = j."""
    return Prf("APE", lambda i, j, n: j)


def rpe(shift: int = 0, window: int | None = None) -> Prf:
    """Relative: φ = i - shift·n - j, n the sum of the hints; with a window clipped to ± window. A shift of 0 does
    without the hint.
    """

    def value(i: int, j: int, n: Scale) -> int:
        distance = i - j - shift * sum(as_scale(n))
        return distance if window is None else max(-window, min(distance, window))

    return Prf(f"RPE{_hinted(shift)}", value)


def t5(buckets: int = 32, max_distance: int = 128, shift: int | None = None) -> Prf:
    """T5's buckets of i - j; with a shift (0 too), the bidirectional buckets of i - shift·n - j, as with a hint."""

    def value(i: int, j: int, n: Scale) -> int:
        return _bucket(i - j - (shift or 0) * sum(as_scale(n)), buckets, max_distance, shift is not None)

    return Prf(f"T5 buckets{_hinted(shift or 0)}", value)


@cache
def _bucket(distance: int, buckets: int, max_distance: int, bidirectional: bool) -> int:
    import torch

    from ..model.position_bias import t5_bucket

    return int(t5_bucket(torch.tensor([distance]), buckets, max_distance, bidirectional)[0])


def alibi(slope: float = 0.5, shift: int = 0) -> Prf:
    """ALiBi's weights exp(-slope·|i - shift·n - j|): fixed, so all of them are one feature."""

    def weight(i: int, j: int, n: Scale) -> float:
        return 2.718281828459045 ** (-slope * abs(i - j - shift * sum(as_scale(n))))

    return Prf(f"ALiBi{_hinted(shift)}", lambda i, j, n: 0, weights=weight)


def ipe(relations: Iterable[str | LinearRelation], hints: int = 1) -> Prf:
    """Ideal: the relations that hold name the role of a pair; all other pairs share one value.

    Where several hold at once (at small n), their combination is a role of its own. The embedding `ipe` of this
    package takes the first of them instead.

    Raises:
        ValueError: a relation cannot be read, or speaks of a segment.
    """
    parsed = parse(relations, hints)

    def value(i: int, j: int, n: Scale) -> Hashable:
        return " and ".join(str(r) for r in parsed if holds(r, i, j, n)) or OTHER

    return Prf("IPE", value)


def lbpe(relations: Iterable[str | LinearRelation], hints: int = 1) -> Prf:
    """Hardened LBPE: every relation that holds is a value of its own; pairs without any have none, unless `other` is
    among the relations.

    Raises:
        ValueError: a relation cannot be read, or speaks of a segment.
    """
    texts = list(relations)
    with_other = OTHER in texts
    parsed = parse([r for r in texts if r != OTHER], hints)

    def value(i: int, j: int, n: Scale) -> tuple[str, ...]:
        held = tuple(str(r) for r in parsed if holds(r, i, j, n))
        return held or ((OTHER,) if with_other else ())

    return Prf("LBPE", value, overlapping=True)


def parse(relations: Iterable[str | LinearRelation], hints: int = 1) -> list[LinearRelation]:
    """Relations from text; those inside segments need a text to be cut, and are refused."""
    parsed = [LinearRelation.parse(r, hints) if isinstance(r, str) else r for r in relations]
    for relation in parsed:
        if relation.segment is not None:
            raise ValueError(f"{relation} speaks of a segment; as a function of (i, j, n) it is not defined.")
    return parsed


def holds(relation: LinearRelation, i: int, j: int, n: Scale) -> bool:
    """a·i + b·j + c·n = d."""
    shift = sum(c * x for c, x in zip(relation.c, as_scale(n), strict=True)) if any(relation.c) else 0
    return relation.a * i + relation.b * j + shift == relation.d


def _hinted(shift: int) -> str:
    return "" if not shift else f" of i - {'' if shift == 1 else shift}n"
