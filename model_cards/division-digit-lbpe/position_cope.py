"""CoPE: positions that count what the query asks to have counted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding, ScaleShift, check_scale_shifts
from .position_context import PositionContext


class ContextualEmbedding(ScaleShift, PositionEmbedding):
    """CoPE (2405.18719): a key's position is the number of gates open between it and the query.

        g(i, j) = sigmoid(q_i·k_j / sqrt(d))                over visible keys, 0 elsewhere
        p(i, j) = Σ_{j ≤ m ≤ i} g(i, m), at most npos_max - 1
        score(i, j) = q_i·(k_j + e[p(i, j)]) / sqrt(d)

    e[p] is interpolated between the integers around p. The mask is applied before the sum: a gate in the future or in
    padding would count. One table e (npos_max, d) per layer, shared by its heads, zero at the start.

    The paper's listing divides q·k by sqrt(d) but not q·e; its equation and its code treat both alike, as here.

    With a Scale Hint, p becomes p - c_h·n, clamped to ±(npos_max - 1) in a table of 2·npos_max - 1 rows [our
    formulation: with all gates open it is the shifted distance plus one].
    """

    name = "cope"
    per_layer = True

    @dataclass(frozen=True)
    class Options:
        """npos_max: rows of the table; counts beyond npos_max - 1 share the last row."""

        npos_max: int = 64
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            if self.npos_max < 2:
                raise ValueError(f"position option npos_max of 'cope' must be at least 2, not {self.npos_max}.")

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        rows = 2 * self.options.npos_max - 1 if self.has_scale else self.options.npos_max
        self.weight = nn.Parameter(torch.empty(rows, config.head_dim))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True)

    def init_weights(self) -> None:
        init.zeros_(self.weight)

    def positions(self, q, k, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S) float32 counts p(i, j), before they are clamped. In float32: bfloat16 cannot count past 256."""
        scores = torch.matmul(q, k.transpose(2, 3)).float() * q.shape[-1] ** -0.5
        gates = scores.sigmoid().masked_fill(~ctx.visible, 0.0)
        return gates.flip(-1).cumsum(-1).flip(-1)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S)."""
        count = self.positions(q, k, ctx)
        last = self.options.npos_max - 1
        if (shifts := self.head_shifts()) is not None:
            shift = shifts.to(q.device)[None, :] * ctx.total_scale()[:, None]
            count = (count - shift[:, :, None, None]).clamp(min=-last) + last
            last = 2 * last
        count = count.clamp(max=last)
        scores = torch.matmul(q, self.weight.t().to(q.dtype)).float() * q.shape[-1] ** -0.5
        floor = count.detach().floor()
        below, above = (scores.gather(-1, index.long()) for index in (floor, count.detach().ceil()))
        return torch.lerp(below, above, count - floor).to(q.dtype)
