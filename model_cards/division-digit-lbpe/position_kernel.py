"""Relative biases that are a learned function of the distance, the same form at every length: KERPLE and FIRE."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding, ScaleShift, check_scale_shifts, nearest
from .position_context import PositionContext

KERPLE_KINDS = ("log", "power")
# Numbers that FIRE's hidden layer may hold at a time where no gradient is wanted (64 MiB).
_HIDDEN_NUMBERS = 2**24


class KerpleEmbedding(ScaleShift, PositionEmbedding):
    """KERPLE (2205.09921): a conditionally positive definite kernel of the distance d, two numbers per head, shared
    by all layers as in the authors' code.

        log    bias = -r1 · log(1 + r2·d)      r1, r2 > 0
        power  bias = -r1 · d^r2               r1 > 0, 0 < r2 < 2

    The start is the authors': r1 (log) and r2 (power) uniform on (0, 2), the other uniform on (0, 1). They keep the
    numbers positive by clamping them after each step; here they are softplus of the parameter, and 2·sigmoid for
    the exponent [our reading], which leaves no dead parameter. With a Scale Hint d = |i - c_h·n - j|.
    """

    name = "kerple"

    @dataclass(frozen=True)
    class Options:
        kind: str = "log"
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            if self.kind not in KERPLE_KINDS:
                raise ValueError(
                    f"position option kind of 'kerple' must be 'log' or 'power', not {self.kind!r}."
                    f"{nearest(self.kind, KERPLE_KINDS)}"
                )

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.raw1 = nn.Parameter(torch.empty(self.num_heads))
        self.raw2 = nn.Parameter(torch.empty(self.num_heads))

    @property
    def is_log(self) -> bool:
        return self.options.kind == "log"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True)

    def init_weights(self) -> None:
        first = torch.empty_like(self.raw1).uniform_(0.01, 2 if self.is_log else 1)
        second = torch.empty_like(self.raw2).uniform_(0.01, 1 if self.is_log else 1.99)
        init.copy_(self.raw1, first.expm1().log())
        init.copy_(self.raw2, second.expm1().log() if self.is_log else (second / 2).logit())

    def numbers(self) -> tuple[torch.Tensor, torch.Tensor]:
        """r1 and r2, (H,) float32."""
        first = nn.functional.softplus(self.raw1.float())
        raw = self.raw2.float()
        return first, nn.functional.softplus(raw) if self.is_log else 2 * raw.sigmoid()

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H, T, S)."""
        distance = ctx.distance(self.head_shifts()).abs().float()
        first, second = (r[:, None, None] for r in self.numbers())
        grown = torch.log1p(second * distance) if self.is_log else distance**second
        return (-first * grown).to(q.dtype)


class FireEmbedding(ScaleShift, PositionEmbedding):
    """FIRE (2310.04418): a small network of the distance, relative to how far the query has come.

        bias(i, j) = f(ψ(i - j) / ψ(max(L, i)))     ψ(x) = log(c·x + 1)

    f: 1 → width → H with a ReLU, each layer its own, or one for all layers with `shared` (the paper's FIRE-S). c > 0
    and the threshold L > 0 are learned: c = |parameter|, starting at 0.1; L = |parameter| · `threshold`, the
    parameter starting at 1. The normaliser is the larger one of L and i, so the argument of f lies in [0, 1] at any
    length. Positions count from 0.

    With a Scale Hint the distance is |i - c_h·n - j|; the normaliser stays max(L, i), so where n exceeds i the
    argument may exceed 1 [our formulation].
    """

    name = "fire"
    per_layer = True

    @dataclass(frozen=True)
    class Options:
        """`width`: hidden units of f; `threshold`: where L starts, in tokens; `shared`: one f for all layers."""

        width: int = 32
        threshold: float = 512.0
        shared: bool = False
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            for name in ("width", "threshold"):
                if getattr(self, name) <= 0:
                    raise ValueError(f"position option {name} of 'fire' must be positive, not {getattr(self, name)}.")

    @classmethod
    def resolve(cls, config) -> type[PositionEmbedding]:
        return cls.shared_form() if (config.position_options or {}).get("shared") is True else cls

    @classmethod
    def shared_form(cls) -> type[PositionEmbedding]:
        """The class with one instance for all layers."""
        return SharedFireEmbedding

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.hidden = nn.Linear(1, self.options.width)
        self.out = nn.Linear(self.options.width, self.num_heads)
        self.c = nn.Parameter(torch.empty(()))
        self.threshold = nn.Parameter(torch.empty(()))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True, extrapolates=not self.has_scale)

    def init_weights(self) -> None:
        init.constant_(self.c, 0.1)
        init.constant_(self.threshold, 1.0)
        for layer in (self.hidden, self.out):
            bound = layer.in_features**-0.5
            init.uniform_(layer.weight, -bound, bound)
            init.uniform_(layer.bias, -bound, bound)

    def arguments(self, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H|1, T, S) what f is asked, float32."""
        c, threshold = self.c.float().abs(), self.threshold.float().abs() * self.options.threshold
        distance = ctx.distance(self.head_shifts()).abs().float()
        normaliser = torch.maximum(threshold, ctx.q_ids.float())[:, None, :, None]
        # Both are logarithms of at least 1; the small number is for a normaliser of exactly 0 (i = 0 = L).
        return torch.log1p(c * distance) / (torch.log1p(c * normaliser) + 1e-6)

    def network(self, x: torch.Tensor) -> torch.Tensor:
        """(B|1, H|1, T, S) → (B|1, H, T, S)."""
        weight, bias = self.hidden.weight.float()[:, 0], self.hidden.bias.float()
        hidden = torch.relu(x[..., None] * weight + bias)
        if x.shape[1] == 1:
            out = (hidden[:, 0] @ self.out.weight.float().T).permute(0, 3, 1, 2)
        else:
            out = torch.einsum("bhtsw,hw->bhts", hidden, self.out.weight.float())
        return out + self.out.bias.float()[:, None, None]

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H, T, S)."""
        x = self.arguments(ctx)
        numbers = x.numel() * self.options.width
        pieces = 1 if torch.is_grad_enabled() else min(x.shape[2], math.ceil(numbers / _HIDDEN_NUMBERS))
        return torch.cat([self.network(part).to(q.dtype) for part in x.chunk(max(pieces, 1), dim=2)], dim=2)


class SharedFireEmbedding(FireEmbedding):
    """FIRE-S (2310.04418): one function for all layers."""

    per_layer = False
