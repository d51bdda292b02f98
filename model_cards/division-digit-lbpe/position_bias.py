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


class HardAlibiEmbedding(ScaleShift, PositionEmbedding):
    """Hard ALiBi (2402.01032): the first `windowed_heads` heads read a window, the others have no position at all.

    Windowed head h = 1, 2, … gets bias 0 where i - j < h and -∞ elsewhere, as in the authors' code: the first reads
    its own token, the second one more, and so on. With a Scale Hint the window is |i - c_h·n - j| < h [our
    formulation]. A head whose window holds no visible key reads nothing: the sink, a key of value zero, is so light
    that it counts in no other case.
    """

    name = "hard_alibi"
    sink_logit = -1e4

    @dataclass(frozen=True)
    class Options:
        """`windowed_heads`: number of heads with a window; half of the heads where None, as in the paper."""

        windowed_heads: int | None = None
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            heads = config.num_attention_heads
            if self.windowed_heads is not None and not 0 <= self.windowed_heads <= heads:
                raise ValueError(
                    f"position option windowed_heads of 'hard_alibi' must be between 0 and the {heads} heads, "
                    f"not {self.windowed_heads}."
                )

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(extrapolates=True)

    def windows(self) -> torch.Tensor:
        """(H,) tokens that each head reads; 0 is no limit."""
        given = self.options.windowed_heads
        count = self.num_heads // 2 if given is None else given
        order = torch.arange(1, self.num_heads + 1)
        return torch.where(order <= count, order, 0)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H, T, S)."""
        windows = self.windows().to(q.device)[None, :, None, None]
        outside = (windows > 0) & (ctx.distance(self.head_shifts()).abs() >= windows)
        return torch.zeros(outside.shape, device=q.device, dtype=q.dtype).masked_fill(outside, float("-inf"))


def angle_features(ids: torch.Tensor, frequencies: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin of ids × frequencies, (..., F) each, float32."""
    angles = ids[..., None].float() * frequencies
    return angles.cos(), angles.sin()


class SandwichEmbedding(ScaleShift, PositionEmbedding):
    """Sandwich (2212.10356): the inner product of two sinusoidal embeddings, without parameters.

        bias(i, j) = (Σ_{m=1..d/2} cos((i - j) / 10000^(2m/d)) - d/2) / (8·h/H)     h = 1, …, H

    with d = `dimension`; it is 0 at i = j. The cosine is even, so the form holds for the negative distances
    i - c_h·n - j of a Scale Hint too. Computed as cos(i - j) = cos i · cos j + sin i · sin j, a product of two
    matrices, without a (T, S, d) tensor.
    """

    name = "sandwich"

    @dataclass(frozen=True)
    class Options:
        """`dimension`: d, 128 in the paper; it does not depend on the model's width."""

        dimension: int = 128
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            if self.dimension < 2 or self.dimension % 2:
                raise ValueError(
                    f"position option dimension of 'sandwich' must be even and positive, not {self.dimension}."
                )

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H, T, S)."""
        half = self.options.dimension // 2
        frequencies = 10000.0 ** (-torch.arange(1, half + 1, device=q.device, dtype=torch.float32) / half)
        queries = torch.cat(angle_features(ctx.shifted_queries(self.head_shifts()), frequencies), -1)
        keys = torch.cat(angle_features(ctx.k_ids[:, None], frequencies), -1)
        ratio = torch.arange(1, self.num_heads + 1, device=q.device)[:, None, None] * (8 / self.num_heads)
        return ((queries @ keys.transpose(-1, -2) - half) / ratio).to(q.dtype)


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
