"""Rotary position embeddings: queries and keys turned by an angle that grows with the position."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .position_base import PositionEmbedding, ScaleShift, check_scale_shifts
from .position_context import PositionContext


def rotate_half(x: torch.Tensor) -> torch.Tensor:
    """(..., D) → (..., D): (x1, x2) halves to (-x2, x1)."""
    x1, x2 = x.chunk(2, dim=-1)
    return torch.cat((-x2, x1), dim=-1)


class RotaryEmbedding(ScaleShift, PositionEmbedding):
    """RoPE (2104.09864) in the half-split layout of Llama: score(i, j) depends on i - j.

    With a Scale Hint, head h turns its query as if it stood at i - c_h·n [our formulation].
    """

    name = "rope"

    @dataclass(frozen=True)
    class Options:
        theta: float = 10000.0
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            if self.theta <= 0:
                raise ValueError(f"position option theta of 'rope' must be positive, not {self.theta}.")
            if config.head_dim % 2:
                raise ValueError(f"'rope' needs an even head_dim, not {config.head_dim}.")

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.head_dim = config.head_dim

    def _rotate(self, x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        exponent = torch.arange(0, self.head_dim, 2, device=x.device, dtype=torch.float32) / self.head_dim
        angles = positions[..., None].float() * self.options.theta**-exponent
        angles = torch.cat((angles, angles), dim=-1)
        return x * angles.cos().to(x.dtype) + rotate_half(x) * angles.sin().to(x.dtype)

    def rotate_query(self, q: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        positions = ctx.q_ids[:, None]
        if (shifts := self.head_shifts()) is not None:
            positions = positions - (shifts.to(q.device)[None, :] * ctx.total_scale()[:, None])[..., None]
        return self._rotate(q, positions)

    def rotate_key(self, k: torch.Tensor, ids: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        return self._rotate(k, ids[:, None])
