"""Position-Only Linear Attention (POLA) [2510.04130; this formulation is ours]: y_i = Σ_{j<=i} W_{φ(i,j,n)} x_j.

No softmax, and weights that depend on positions alone: a linear model in the features ψ_z(i), the sum of x_j over all
j <= i with φ(i,j,n) = z. What gradient descent makes of it can be computed, and so can the scales at which it is right
(docs/theory.md has the statement and its proof).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from .prf import Prf

Target = Callable[[int, int, int], Any]


@dataclass(frozen=True)
class Level:
    """One scale of a problem.

    Attributes:
        n: the scale, as the hint counts it. length: tokens. rows: supervised positions.
        weight: of the scale in the loss, above 0.
        moment: (length·d, length·d) second moments E[x xᵀ] of the tokens of a sequence, stacked; None: the identity.
    """

    n: int
    length: int
    rows: tuple[int, ...]
    weight: Any = 1
    moment: Any = None


def levels(count: int, length: Callable[[int], int] = lambda n: n) -> list[Level]:
    """Scales 1..count with all rows supervised and white inputs."""
    return [Level(n, length(n), tuple(range(length(n)))) for n in range(1, count + 1)]


class Pola:
    """The exact linear algebra of a POLA problem.

    Args:
        prf: a PRF, overlapping or not.
        scales: the levels, n increasing.
        target: (i, j, n) -> the operator A(i, j, n) that takes x_j to y_i: a number, or an (outputs, d) matrix.
        d, outputs: widths of x and y.
        exact: rational arithmetic (targets, weights and moments must be integers or Fractions).

    Raises:
        ValueError: no scales, or a row outside its sequence.
    """

    def __init__(
        self, prf: Prf, scales: Sequence[Level], target: Target, d: int = 1, outputs: int = 1, exact: bool = False
    ):
        if not scales:
            raise ValueError("a POLA problem needs at least one scale.")
        self.prf, self.scales, self.d, self.outputs, self.exact = prf, list(scales), d, outputs, exact
        self.kind = object if exact else np.float64
        for level in self.scales:
            if any(not 0 <= i < level.length for i in level.rows):
                raise ValueError(f"scale {level.n} supervises a row outside of its {level.length} tokens.")
        self.features = list(
            dict.fromkeys(
                z
                for level in self.scales
                for i in level.rows
                for j in range(i + 1)
                for z in prf.features(i, j, level.n)
            )
        )
        self.index = {z: k for k, z in enumerate(self.features)}
        self.target = target

    # -- a scale as matrices

    def _incidence(self, i: int, level: Level) -> np.ndarray:
        """M (Z·d, length·d): ψ(i) = M x."""
        pairs = np.zeros((len(self.features), level.length), dtype=self.kind)
        for j in range(i + 1):
            for z in self.prf.features(i, j, level.n):
                pairs[self.index[z], j] += self.prf.weight(i, j, level.n)
        return np.kron(pairs, np.eye(self.d, dtype=int).astype(self.kind))

    def _wanted(self, i: int, level: Level) -> np.ndarray:
        """a (outputs, length·d): y_i = a x."""
        out = np.zeros((self.outputs, level.length * self.d), dtype=self.kind)
        for j in range(i + 1):
            value = np.asarray(self.target(i, j, level.n), dtype=self.kind)
            out[:, j * self.d : (j + 1) * self.d] = value.reshape(self.outputs, self.d) if value.ndim else value
        return out

    def _moment(self, level: Level) -> np.ndarray:
        size = level.length * self.d
        moment = np.eye(size, dtype=int) if level.moment is None else np.asarray(level.moment)
        if moment.shape != (size, size):
            raise ValueError(f"the moment of scale {level.n} must have the shape {(size, size)}, not {moment.shape}.")
        return moment.astype(self.kind)

    @cached_property
    def _rows(self) -> dict[int, list[tuple[np.ndarray, np.ndarray, np.ndarray, Any]]]:
        """Per scale: (M, a, moment, weight) of every supervised row."""
        return {
            level.n: [
                (self._incidence(i, level), self._wanted(i, level), self._moment(level), level.weight)
                for i in level.rows
            ]
            for level in self.scales
        }

    def _up_to(self, n: int):
        return [row for scale, rows in self._rows.items() if scale <= n for row in rows]

    # -- what is computed

    def gram(self, n: int) -> np.ndarray:
        """G_n = Σ E[ψ ψᵀ] over supervised rows of scales <= n: (Z·d, Z·d)."""
        zero = np.zeros((len(self.features) * self.d,) * 2, dtype=self.kind)
        return sum((weight * (m @ s @ m.T) for m, _, s, weight in self._up_to(n)), zero)

    def cross(self, n: int) -> np.ndarray:
        """C_n = Σ E[y ψᵀ]: (outputs, Z·d)."""
        zero = np.zeros((self.outputs, len(self.features) * self.d), dtype=self.kind)
        return sum((weight * (a @ s @ m.T) for m, a, s, weight in self._up_to(n)), zero)

    def solution(self, n0: int) -> np.ndarray:
        """The limit of gradient descent from 0 on scales <= n0, the minimiser of least norm: (outputs, Z·d)."""
        gram, cross = self.gram(n0), self.cross(n0)
        if not self.exact:
            return cross @ np.linalg.pinv(gram, rcond=1e-10, hermitian=True)
        # p = q G with q G² = C: it lies in range(G) and satisfies p G = C, which only one p does.
        q = solve_exactly(gram @ gram, cross.T).T
        return q @ gram

    def operators(self, p: np.ndarray) -> dict[Hashable, np.ndarray]:
        """W_z (outputs, d) of every relation value z."""
        return {z: p[:, k * self.d : (k + 1) * self.d] for k, z in enumerate(self.features)}

    def seen(self, n0: int) -> set[Hashable]:
        """Relation values that occur in supervised rows of scales <= n0."""
        return {
            z
            for level in self.scales
            if level.n <= n0
            for i in level.rows
            for j in range(i + 1)
            for z in self.prf.features(i, j, level.n)
        }

    def risk(self, p: np.ndarray, n: int) -> np.ndarray:
        """Expected squared error at scale n, summed over rows, for each output: (outputs,)."""
        total = np.zeros(self.outputs, dtype=self.kind)
        for m, a, s, _ in self._rows[n]:
            gap = p @ m - a
            total = total + ((gap @ s) * gap).sum(axis=1)
        return total

    def risks(self, n0: int) -> dict[int, np.ndarray]:
        """The risk at every scale of what gradient descent on scales <= n0 finds."""
        p = self.solution(n0)
        return {level.n: self.risk(p, level.n) for level in self.scales}

    def generalizes(self, n0: int, n: int, tolerance: float = 1e-8) -> np.ndarray:
        """The theorem's criterion, without solving for p: does some p in range(G_n0) have zero risk at all scales
        <= n? For each output, bool (outputs,).

        Zero risk at a row means (p M - a) E[xxᵀ] = 0; with p = q G_n0 these are linear equations in q.

        Raises:
            ValueError: n < n0. The training scales beyond n decide too, so the criterion says nothing there.
        """
        if n < n0:
            raise ValueError(f"the criterion is for scales n >= n0, got n = {n} and n0 = {n0}.")
        gram = self.gram(n0)
        left = np.concatenate([gram @ m @ s for m, _, s, _ in self._up_to(n)], axis=1)
        right = np.concatenate([a @ s for _, a, s, _ in self._up_to(n)], axis=1)
        if self.exact:
            return np.array([solve_exactly(left.T, row[:, None]) is not None for row in right])
        q = np.linalg.lstsq(left.T, right.T, rcond=1e-10)[0]
        gap = np.abs(left.T @ q - right.T).max(axis=0)
        return gap <= tolerance * (1 + np.abs(right).max(axis=1))

    def verdicts(self, n0: int) -> dict[int, np.ndarray]:
        """Length generalization per scale n >= n0: zero risk at all scales <= n? For each output."""
        return {level.n: self.generalizes(n0, level.n) for level in self.scales if level.n >= n0}

    def classes_agree(self, n0: int, n: int, tolerance: float = 1e-9) -> np.ndarray:
        """The corollary's criterion, for a PRF that is not overlapping and E[xxᵀ] > 0 at each scale: the target is
        constant on classes over the supervised rows of scales <= n, and zero on every class absent from those of
        scales <= n0. For each output, bool (outputs,).

        Raises:
            ValueError: the PRF is overlapping, or has weights.
        """
        if self.prf.weights is not None:
            raise ValueError(f"the corollary speaks of free values; {self.prf.name} has weights.")
        if self.prf.overlapping:
            raise ValueError(f"the corollary speaks of classes; the relations of {self.prf.name} overlap.")
        seen = self.seen(n0)
        value: dict[Hashable, np.ndarray] = {}
        good = np.ones(self.outputs, dtype=bool)
        for level in self.scales:
            if level.n > n:
                continue
            for i in level.rows:
                wanted = self._wanted(i, level)
                for j in range(i + 1):
                    z = self.prf(i, j, level.n)
                    here = wanted[:, j * self.d : (j + 1) * self.d]
                    first = value.setdefault(z, here if z in seen else 0 * here)
                    good &= ~(np.abs(here - first) > tolerance).any(axis=1)
        return good


def solve_exactly(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """Some x with matrix @ x = right in rational numbers, by Gaussian elimination; None if there is none.

    Args:
        matrix: (r, c); right: (r, k); integers or Fractions.
    """
    rows, columns = matrix.shape
    work = [[Fraction(v) for v in (*matrix[r], *right[r])] for r in range(rows)]
    pivots: list[int] = []
    for column in range(columns):
        top = len(pivots)
        pivot = next((r for r in range(top, rows) if work[r][column]), None)
        if pivot is None:
            continue
        work[top], work[pivot] = work[pivot], work[top]
        scale = work[top][column]
        work[top] = [v / scale for v in work[top]]
        for r in range(rows):
            if r != top and work[r][column]:
                factor = work[r][column]
                work[r] = [v - factor * w for v, w in zip(work[r], work[top], strict=True)]
        pivots.append(column)
    if any(any(row[columns:]) for row in work[len(pivots) :]):
        return None
    out = np.full((columns, right.shape[1]), Fraction(0), dtype=object)
    for r, column in enumerate(pivots):
        out[column] = work[r][columns:]
    return out


# ---- the same as a network, trained on samples


def attention(problem: Pola):
    """POLA as a torch module: `module(x, n)` takes (B, length, d) to (B, length, outputs). Operators start at 0."""
    import torch
    from torch import nn

    class PositionOnlyLinearAttention(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(
                torch.zeros(len(problem.features), problem.outputs, problem.d, dtype=torch.float64)
            )
            self._incidence: dict[tuple[int, int], torch.Tensor] = {}

        def incidence(self, length: int, n: int) -> torch.Tensor:
            """(length, Z, length) the weight of relation value z between i and j, 0 where it does not stand there."""
            if (length, n) not in self._incidence:
                table = torch.zeros(length, len(problem.features), length, dtype=torch.float64)
                for i in range(length):
                    for j in range(i + 1):
                        for z in problem.prf.features(i, j, n):
                            if z in problem.index:  # rows that are not supervised may have values of their own
                                table[i, problem.index[z], j] += problem.prf.weight(i, j, n)
                self._incidence[length, n] = table
            return self._incidence[length, n]

        def forward(self, x: torch.Tensor, n: int) -> torch.Tensor:
            psi = torch.einsum("izj,bjd->bizd", self.incidence(x.shape[1], n), x)
            return torch.einsum("zod,bizd->bio", self.weight, psi)

    return PositionOnlyLinearAttention()


def gradient_descent(module, samples, steps: int) -> None:
    """Plain gradient descent from where the module stands, on the squared loss of samples.

    Args:
        samples: per scale (n, x (B, length, d), y (B, rows, outputs), rows, weight): the loss is the sum over scales
            of weight × the mean over B of the squared error, summed over rows and outputs.
        steps: of size 1 / λ_max, the largest curvature found by power iteration on gradients.
    """
    import torch

    weight = module.weight

    def gradient(at: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            weight.copy_(at)
        loss = torch.zeros((), dtype=torch.float64)
        for n, x, y, rows, share in samples:
            gap = module(x, n)[:, list(rows)] - y
            loss = loss + share * (gap**2).sum() / len(x)
        return torch.autograd.grad(loss, weight)[0]

    start = weight.detach().clone()
    base = gradient(torch.zeros_like(start))
    direction = torch.randn(start.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    curvature = 1.0
    for _ in range(60):  # the gradient is affine in the weights: differences are products with the Hessian
        direction = direction / direction.norm()
        image = gradient(direction) - base
        curvature = float(image.norm())
        direction = image
    at = start
    for _ in range(steps):
        at = at - gradient(at) / curvature
    with torch.no_grad():
        weight.copy_(at)
