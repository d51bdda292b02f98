"""Relative position embeddings that add a bias to the attention scores, whatever the content."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding, ScaleShift, check_scale_shifts
from .position_context import PositionContext


def alibi_slopes(num_heads: int) -> list[float]:
    """Slopes of ALiBi (2108.12409): 2^(-8k/H) for k = 1..H where H is a power of two; otherwise those of the
    next lower power, then every other one of the next higher."""

    def geometric(heads: int) -> list[float]:
        return [2.0 ** (-8.0 * (k + 1) / heads) for k in range(heads)]

    lower = 2 ** math.floor(math.log2(num_heads))
    return geometric(lower) + geometric(2 * lower)[0::2][: num_heads - lower]


class AlibiEmbedding(ScaleShift, PositionEmbedding):
    """ALiBi (2108.12409): bias -m_h · (i - j). With a Scale Hint, -m_h · |i - c_h·n - j| [our formulation]."""

    name = "alibi"

    @dataclass(frozen=True)
    class Options:
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H, T, S)."""
        slopes = torch.tensor(alibi_slopes(self.num_heads), device=q.device)
        distance = ctx.distance(self.head_shifts()).abs()
        return (-slopes[None, :, None, None] * distance).to(q.dtype)


def t5_bucket(distance: torch.Tensor, buckets: int, max_distance: int, bidirectional: bool) -> torch.Tensor:
    """Bucket of a signed distance i - j (1910.10683, section 2.1): exact up to half of the buckets, then
    logarithmic up to `max_distance`, one bucket beyond. Bidirectional: the upper half is for negative distances.

    Args:
        distance: integers of any shape.

    Returns:
        Integers in [0, buckets), the same shape.
    """
    offset = torch.zeros_like(distance)
    if bidirectional:
        buckets //= 2
        offset = (distance < 0).long() * buckets
        distance = distance.abs()
    else:
        distance = distance.clamp(min=0)
    exact = buckets // 2
    large = distance.clamp(min=exact).float()
    log_bucket = exact + (torch.log(large / exact) / math.log(max_distance / exact) * (buckets - exact)).long()
    return offset + torch.where(distance < exact, distance, log_bucket.clamp(max=buckets - 1))


class T5Embedding(ScaleShift, PositionEmbedding):
    """T5's relative bias (1910.10683): a learned scalar per head and bucket of i - j, shared by all layers.

    With a Scale Hint the distance is i - c_h·n - j and the buckets are T5's bidirectional ones [our formulation].
    """

    name = "t5"

    @dataclass(frozen=True)
    class Options:
        buckets: int = 32
        max_distance: int = 128
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            if self.buckets < 4 or self.buckets % 4:
                raise ValueError(f"position option buckets of 't5' must be a multiple of 4, not {self.buckets}.")
            if self.max_distance <= self.buckets // 2:
                raise ValueError(
                    f"position option max_distance of 't5' must exceed buckets / 2 = {self.buckets // 2}, "
                    f"not {self.max_distance}."
                )

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.weight = nn.Parameter(torch.empty(self.options.buckets, self.num_heads))
        self.std = config.initializer_range

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True)

    def init_weights(self) -> None:
        init.normal_(self.weight, mean=0.0, std=self.std)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H, T, S)."""
        bucket = t5_bucket(
            ctx.distance(self.head_shifts()), self.options.buckets, self.options.max_distance, self.has_scale
        )
        if bucket.shape[1] == 1:
            return self.weight[bucket[:, 0]].permute(0, 3, 1, 2)
        heads = torch.arange(self.num_heads, device=bucket.device)[None, :, None, None]
        return self.weight[bucket, heads]
