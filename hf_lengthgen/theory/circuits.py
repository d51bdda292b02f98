"""Circuits, and their Sequential Representation Complexity (SRC) under a PRF [2510.04130; the notation is ours].

A circuit says, for every output position, which positions are read and which operator is applied:

    from hf_lengthgen.theory.circuits import read, src_curve

    def running_sum(n):
        yield read(n + 1, 1, apply="first digit")                    # query "=" reads token 1
        for k in range(1, n):
            yield read(n + 1 + k, 1 + k, n + 1 + k, apply="add")     # a digit, and the sum just written

Query i writes token i + 1; token 0 is <bos>. Under φ a unit operator is the operator's name with the relation values of
what it reads: the same name at new relation values is a new operator, which has to be learned anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .found import CONSTANT, GROWING, UNDECIDED
from .prf import Prf


@dataclass(frozen=True)
class Step:
    """One application of an operator: at `query`, to the tokens at `reads` (None: nothing is read there)."""

    query: int
    reads: tuple[int | None, ...]
    operator: str


Circuit = Callable[[int], Iterable[Step]]


def read(query: int, *positions: int | None, apply: str) -> Step:
    """The notation for a step: `read(7, 3, 6, apply="add")`."""
    return Step(query, positions, apply)


def steps_of(circuit: Circuit, n: int) -> list[Step]:
    """The steps of a circuit at scale n, checked.

    Raises:
        ValueError: a step reads a position in the future of its query, or before the beginning; or it is no step.
    """
    steps = list(circuit(n))
    for number, step in enumerate(steps):
        if not isinstance(step, Step):
            raise ValueError(f"a circuit yields steps (see `read`), but at n = {n} it yields {step!r}.")
        for position in step.reads:
            if position is not None and position > step.query:
                raise ValueError(
                    f"step {number} of the circuit at n = {n} reads position {position} at query {step.query} "
                    f"(operator {step.operator!r}): that position lies in its future."
                )
            if position is not None and position < 0:
                raise ValueError(
                    f"step {number} of the circuit at n = {n} reads position {position}: positions begin at 0."
                )
    return steps


@dataclass(frozen=True)
class SrcCurve:
    """SRC of a circuit under a PRF.

    Attributes:
        operators: at n = 1, 2, …, the distinct unit operators used at scales <= n.
        verdict: "constant": none is new in the second half of the scales; "growing": in most of the second half some
            operator is new; otherwise "undecided".
        witness: (n, unit operator) the first that is new in the second half; None if there is none.
    """

    operators: tuple[int, ...]
    verdict: str
    witness: tuple[int, tuple] | None


def src_curve(circuit: Circuit, prf: Prf, n_max: int = 24) -> SrcCurve:
    """SRC of a circuit under φ at n = 1..n_max.

    Raises:
        ValueError: what `steps_of` refuses, or n_max < 2.
    """
    if n_max < 2:
        raise ValueError(f"a verdict compares scales, so n_max must be at least 2, not {n_max}.")
    seen: set[tuple] = set()
    counts, fresh = [], []
    for n in range(1, n_max + 1):
        before = len(seen)
        for step in steps_of(circuit, n):
            unit = (step.operator, *(None if j is None else prf(step.query, j, n) for j in step.reads))
            if unit not in seen:
                seen.add(unit)
                if len(seen) == before + 1 and n > n_max // 2:
                    fresh.append((n, unit))
        counts.append(len(seen))
    half = n_max - n_max // 2
    verdict = CONSTANT if not fresh else GROWING if len(fresh) > half / 2 else UNDECIDED
    return SrcCurve(tuple(counts), verdict, fresh[0] if fresh else None)
