"""Forgetting attention: every token decides how much of what lies before it is forgotten."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding, ScaleShift, check_scale_shifts
from .position_context import PositionContext


class ForgettingEmbedding(ScaleShift, PositionEmbedding):
    """Forgetting Transformer, FoX (2503.02130): bias Σ_{j < m ≤ i} log f_m with f_m = sigmoid(w_h·x_m + b_h).

    The log gates are cached beside the keys; F_i = Σ_{m ≤ i} log f_m is summed in float32 and the bias is F_i - F_j.
    ALiBi is the case of a constant gate. Gates start at f = sigmoid(initial_bias), one half as in the paper's code.

    With a Scale Hint, the bias is -|F_{i - c_h·n} - F_j|: forgetting counted from the shifted query, with F = 0 before
    the first token [our formulation].
    """

    name = "forgetting"
    per_layer = True

    @dataclass(frozen=True)
    class Options:
        """initial_bias: b_h at the start."""

        initial_bias: float = 0.0
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.gate_proj = nn.Linear(config.hidden_size, self.num_heads)
        self.std = config.initializer_range

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True)

    def init_weights(self) -> None:
        init.normal_(self.gate_proj.weight, mean=0.0, std=self.std)
        init.constant_(self.gate_proj.bias, float(self.options.initial_bias))

    def key_state(self, hidden: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, 1): log f of the new tokens."""
        log_gate = nn.functional.logsigmoid(self.gate_proj(hidden).float())
        return log_gate.transpose(1, 2)[..., None].to(hidden.dtype)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S)."""
        # Padding and unwritten slots forget nothing.
        log_gate = torch.where(ctx.k_pos[:, None] >= 0, state[..., 0].float(), 0.0)
        total = log_gate.cumsum(-1)
        place = ctx.q_pos[:, None]
        if (shifts := self.head_shifts()) is not None:
            place = place - (shifts.to(q.device)[None, :] * ctx.total_scale()[:, None])[..., None]
        slot = (place + ctx.left_pad[:, None, None]).clamp(min=0)
        at_query = total.gather(-1, slot.expand(*total.shape[:2], -1))
        at_query = torch.where(place >= 0, at_query, 0.0)
        return -(at_query[..., None] - total[:, :, None, :]).abs().to(q.dtype)
