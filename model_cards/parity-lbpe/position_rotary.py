"""Rotary position embeddings: queries and keys turned by an angle that grows with the position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from .position_base import PositionEmbedding, ScaleShift, check_scale_shifts
from .position_context import PositionContext
from .rope_scaling import check_scaling, dynamic_frequencies, grows_with_length, scaled_frequencies

# Numbers that the correction for growing frequencies may hold at a time: 4 MiB, which a processor's cache takes.
_TURNED_NUMBERS = 2**20


def rotate_half(x: torch.Tensor) -> torch.Tensor:
    """(..., D) → (..., D): (x1, x2) halves to (-x2, x1)."""
    x1, x2 = x.chunk(2, dim=-1)
    return torch.cat((-x2, x1), dim=-1)


def turn(x: torch.Tensor, angles: torch.Tensor, factor: float = 1.0) -> torch.Tensor:
    """Rotate each pair (x_m, x_{m + F}) by its angle.

    Args:
        x: (..., 2F); angles: (..., F), broadcastable; factor: what the result is multiplied by.
    """
    angles = torch.cat((angles, angles), dim=-1)
    return x * (angles.cos() * factor).to(x.dtype) + rotate_half(x) * (angles.sin() * factor).to(x.dtype)


class RotaryEmbedding(ScaleShift, PositionEmbedding):
    """RoPE (2104.09864) in the half-split layout of Llama: score(i, j) depends on i - j.

    Pair m of the first `fraction`·head_dim dimensions turns by position · w_m, w_m = theta^(-2m / dimensions); the
    other dimensions do not turn (partial RoPE, as in GPT-J and GPT-NeoX). With a Scale Hint, head h turns its query
    as if it stood at i - c_h·n [our formulation].

    `scaling` holds transformers' own keys (`rope_type`, `factor`, …) and its frequencies come from transformers'
    own functions: 'linear' (2306.15595), 'dynamic' (dynamic NTK), 'yarn' (2309.00071) or 'llama3'. The original
    length is `max_position_embeddings` where `original_max_position_embeddings` is not given.

    The frequencies of 'dynamic' depend on the length. In transformers that is the length of the longest row of the
    batch at the time of the call, so a cached step and a padded batch differ from one full pass. Here the length is
    the query's own: query i and all keys it reads turn with the frequencies of an input of i + 1 tokens [our
    reading], which is what a full pass over just those tokens uses. Nothing then depends on what follows, on the
    batch or on the cache. Rotations commute, so the keys stay cached with the first frequencies, and `bias` adds
    what the further turn of each pair changes, for queries beyond the original length only:
    q·(R((w - w_i)·(i - j)) - 1)k / sqrt(D), with w the first frequencies and w_i those of query i.
    """

    name = "rope"

    @dataclass(frozen=True)
    class Options:
        """`theta`: base of the frequencies; `fraction`: share of each head's dimensions that turn; `scaling`: dict
        with `rope_type`, `factor` and what else that type takes, or None."""

        theta: float = 10000.0
        fraction: float = 1.0
        scaling: dict[str, Any] | None = None
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            check_rotary(self, config)

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.head_dim = config.head_dim
        self.turned = turned_dimensions(self.options, config)
        self.original_length = config.max_position_embeddings
        self.scaling = config.head_dim**-0.5

    @property
    def is_dynamic(self) -> bool:
        return grows_with_length(self.options.scaling)

    def frequencies(self, device) -> tuple[torch.Tensor, float]:
        """(F,) angle per position of each pair, float32, and the factor of queries and keys."""
        options = self.options
        return scaled_frequencies(options.scaling, self.turned, options.theta, self.original_length, device)

    def _rotate(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        frequencies, factor = self.frequencies(x.device)
        angles = ids[..., None].float() * frequencies
        if self.turned == self.head_dim:
            return turn(x, angles, factor)
        return torch.cat((turn(x[..., : self.turned], angles, factor), x[..., self.turned :]), dim=-1)

    def rotate_query(self, q: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        return self._rotate(q, ctx.shifted_queries(self.head_shifts()))

    def rotate_key(self, k: torch.Tensor, ids: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        return self._rotate(k, ids[:, None])

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor | None:
        """(B, H, T, S) for frequencies that grow, None otherwise."""
        if not self.is_dynamic:
            return None
        options, lengths = self.options, ctx.q_ids + 1
        first, _ = self.frequencies(q.device)
        own, original = dynamic_frequencies(options.scaling, self.turned, options.theta, self.original_length, lengths)
        columns = torch.arange(q.shape[2], device=q.device)
        if not torch.compiler.is_compiling():
            columns = columns[(lengths > original).any(0)]
            if not len(columns):
                return None
        distance = ctx.distance(self.head_shifts()).float()
        q, dtype = q[..., : self.turned].float(), q.dtype
        k = k[:, :, None, :, : self.turned].float()
        change = (first - own)[:, None, :, None]
        out = q.new_zeros(*q.shape[:3], k.shape[3])
        width = max(1, _TURNED_NUMBERS // max(k.numel(), 1))
        for some in columns.split(width):
            angles = distance[:, :, some, :, None] * change[:, :, some]
            moved = turn(k, angles) - k
            out[:, :, some] = (moved @ q[:, :, some, :, None])[..., 0].to(out.dtype)  # of autocast it is not
        return (out * self.scaling).to(dtype)


def turned_dimensions(options, config) -> int:
    """Dimensions of a head that turn."""
    return int(config.head_dim * options.fraction)


def check_rotary(options, config) -> None:
    """Shared by the Options of rotary embeddings: theta, fraction and scaling fit the head.

    Raises:
        ValueError: theta is not positive, the fraction leaves no even number of dimensions, a bad `scaling`.
    """
    name = config.position_embedding
    if options.theta <= 0:
        raise ValueError(f"position option theta of {name!r} must be positive, not {options.theta}.")
    if not 0 < options.fraction <= 1:
        raise ValueError(f"position option fraction of {name!r} must be above 0 and at most 1, not {options.fraction}.")
    turned = turned_dimensions(options, config)
    if options.fraction == 1 and turned % 2:
        raise ValueError(f"{name!r} needs an even head_dim, not {config.head_dim}.")
    if turned < 2 or turned % 2:
        raise ValueError(
            f"position option fraction {options.fraction} of {name!r} turns {turned} of {config.head_dim} dimensions; "
            f"it must be an even number, at least 2."
        )
    check_scaling(options.scaling, turned)
