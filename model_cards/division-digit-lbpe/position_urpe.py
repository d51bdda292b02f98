"""URPE: a learned factor per relative distance, after the softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding, ScaleShift, check_scale_shifts
from .position_context import PositionContext
from .position_parts import build_part, check_part


class UniversalEmbedding(ScaleShift, PositionEmbedding):
    """URPE (2205.13401): attention = (softmax(q·k / sqrt(d) + B) ⊙ C) v with a learned Toeplitz matrix C.

    A softmax is right stochastic: over equal values it returns that value whatever the bias, so no relative bias can
    tell positions apart in a constant input. C = c[h, i - j] is not normalised, so it can. c starts at one, where
    attention is that of the base; distances beyond `max_distance` share the last entry. B is the bias of the base
    embedding. One instance serves all layers, as in the authors' code.

    With a Scale Hint, c is indexed by the signed i - c_h·n - j in 2·max_distance + 1 entries [our formulation].

    It works on probabilities, so attention must be eager; the rows of `attentions` do not sum to one.
    """

    name = "urpe"

    @dataclass(frozen=True)
    class Options:
        """max_distance: distances are clipped to it; base, base_options: the embedding that gives B, or 'none'."""

        max_distance: int = 128
        base: str = "t5"
        base_options: dict[str, Any] | None = None
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            check_part(config, "urpe", self.base, self.base_options)
            if self.max_distance < 1:
                raise ValueError(f"position option max_distance of 'urpe' must be at least 1, not {self.max_distance}.")

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.base = build_part(config, self.options.base, self.options.base_options, layer_idx)
        furthest = self.options.max_distance
        self.factor = nn.Parameter(torch.empty(self.num_heads, furthest + 1 + (furthest if self.has_scale else 0)))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(sdpa=False, learned_parameters=True)

    def init_weights(self) -> None:
        init.ones_(self.factor)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor | None:
        return None if self.base is None else self.base.bias(q, k, state, ctx)

    def reweight(self, probs: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S)."""
        furthest = self.options.max_distance
        distance = ctx.distance(self.head_shifts())
        lowest = -furthest if self.has_scale else 0
        index = distance.clamp(lowest, furthest) - lowest
        heads = torch.arange(self.num_heads, device=probs.device)[None, :, None, None]
        return probs * self.factor[heads, index].to(probs.dtype)
