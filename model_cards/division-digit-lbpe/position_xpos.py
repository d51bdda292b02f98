"""xPos: rotary embedding whose dimensions also fade with the distance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .position_base import check_scale_shifts
from .position_context import PositionContext
from .position_rotary import RotaryEmbedding, check_rotary

# Queries share a reference position while zeta's powers stay below exp(this).
_LARGEST_EXPONENT = 20.0


class XposEmbedding(RotaryEmbedding):
    """xPos (2212.10554): RoPE whose pair m is multiplied by zeta_m^((i - j) / scale_base).

        zeta_m = (m / (D/2) + gamma) / (1 + gamma)     m = 0, …, D/2 - 1     gamma = 0.4, scale_base = 512

    The paper multiplies queries by zeta^(i / scale_base) and keys by zeta^(-j / scale_base); those powers leave
    float32 at some 36,000 positions. Here queries and keys are turned as in RoPE, the cache keeps such keys, and
    `bias` adds the difference that zeta makes, (Σ_m zeta_m^((i - j) / scale_base)·s_m - Σ_m s_m) / sqrt(D) with s_m
    the RoPE score of pair m. It is computed for blocks of queries (some 8,000), each with the position of its first
    query as reference: powers then stay below e^20, and what underflows is 0 in truth.

    With a Scale Hint the exponent is clamped, zeta^(max(i - c_h·n - j, 0) / scale_base): at a negative distance
    the score is RoPE's, instead of one that grows exponentially [our formulation].

    The paper's blockwise causal attention at long inputs is not part of it.
    """

    name = "xpos"

    @dataclass(frozen=True)
    class Options:
        """`theta`: base of the frequencies; `gamma`, `scale_base`: see the formula."""

        theta: float = 10000.0
        gamma: float = 0.4
        scale_base: float = 512.0
        scale_shifts: int = 4
        # Read by RotaryEmbedding; xPos has no such options.

        fraction = 1.0
        scaling = None

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            check_rotary(self, config)
            for name in ("gamma", "scale_base"):
                if getattr(self, name) <= 0:
                    raise ValueError(f"position option {name} of 'xpos' must be positive, not {getattr(self, name)}.")

    def steepest(self) -> float:
        """The largest -log(zeta) / scale_base, that of pair 0."""
        return math.log(1 + 1 / self.options.gamma) / self.options.scale_base

    def decay(self, device) -> torch.Tensor:
        """(D,) log(zeta) / scale_base of each dimension, at most 0, float32."""
        half = self.head_dim // 2
        pair = torch.arange(half, device=device, dtype=torch.float32) / half
        rate = torch.log((pair + self.options.gamma) / (1 + self.options.gamma)) / self.options.scale_base
        return torch.cat((rate, rate))

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S)."""
        queries, keys = ctx.shifted_queries(self.head_shifts()).float(), ctx.k_ids[:, None].float()
        rate, dtype = self.decay(q.device), q.dtype
        q, k = q.float(), k.float()
        width = max(1, int(_LARGEST_EXPONENT / self.steepest()))
        blocks = []
        for some, at in zip(q.split(width, dim=2), queries.split(width, dim=2), strict=True):
            start, last = at[..., :1], at[..., -1:]
            faded = some * torch.exp(rate * (at - start)[..., None])
            # Keys after the whole block meet no query of it at a positive distance; they only must not overflow.
            behind = torch.maximum(start - keys, start - last)
            scores = faded @ (k * torch.exp(rate * behind[..., None])).transpose(-1, -2)
            ahead = at[..., None] < keys[..., None, :]
            blocks.append((scores - some @ k.transpose(-1, -2)).masked_fill(ahead, 0.0))
        return (torch.cat(blocks, dim=2) * self.scaling).to(dtype)
