"""Relative embeddings in which the query meets a vector of the distance: Shaw et al. and Transformer-XL."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding, ScaleShift, check_scale_shifts
from .position_bias import angle_features
from .position_context import PositionContext


class ShawEmbedding(ScaleShift, PositionEmbedding):
    """Relative position representations (Shaw et al. 2018, 1803.02155), each layer its own.

        score(i, j) = (q_i·k_j + q_i·a[clip(i - j)]) / sqrt(D)     clip to ± window
        output_i    = Σ_j p_ij (v_j + b[clip(i - j)])              the second summand with `values` only

    a and b: (H or 1, 2·window + 1, D); row r is the distance r - window. The heads share the rows, or have rows of
    their own with `per_head` (the paper's base and big models differ in this). Without a Scale Hint no query reads
    a later key, and the rows of negative distances stay idle; with one, the distance is i - c_h·n - j and they are
    the other half of the table [our formulation]. `values` needs the probabilities: no sdpa.
    """

    name = "shaw"
    per_layer = True

    @dataclass(frozen=True)
    class Options:
        """`window`: distances beyond it share its row; `values`: the paper's second table; `per_head`: see above."""

        window: int = 16
        values: bool = False
        per_head: bool = False
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            if self.window < 1:
                raise ValueError(f"position option window of 'shaw' must be at least 1, not {self.window}.")

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.window = self.table_window(config)
        self.scaling = config.head_dim**-0.5
        shape = (self.num_heads if self.options.per_head else 1, 2 * self.window + 1, config.head_dim)
        self.keys = nn.Parameter(torch.empty(shape))
        self.values = nn.Parameter(torch.empty(shape)) if self.options.values else None

    def table_window(self, config) -> int:
        """The largest distance with a row of its own."""
        return self.options.window

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True, sdpa=not self.options.values)

    def init_weights(self) -> None:
        for table in (self.keys, self.values):
            if table is not None:
                init.normal_(table, mean=0.0, std=table.shape[-1] ** -0.5)

    def rows(self, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H|1, T, S) the row of each pair."""
        return ctx.distance(self.head_shifts()).clamp(-self.window, self.window) + self.window

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S): q_i against every row, then each pair picks its own."""
        scores = q @ self.keys.to(q.dtype).transpose(-1, -2) * self.scaling
        rows = self.rows(ctx)
        return scores.gather(-1, rows.expand(*scores.shape[:3], rows.shape[-1]))

    def value_term(self, probs: torch.Tensor, ctx: PositionContext) -> torch.Tensor | None:
        """(B, H, T, D): the probability that falls on each row, times the row."""
        if self.values is None:
            return None
        rows = self.rows(ctx).expand(probs.shape)
        mass = probs.new_zeros(*probs.shape[:3], 2 * self.window + 1).scatter_add(-1, rows, probs)
        return mass @ self.values.to(probs.dtype)


class TransformerXlEmbedding(ScaleShift, PositionEmbedding):
    """Relative attention of Transformer-XL (1901.02860, section 3.3), each layer its own W, u and v.

        score(i, j) = (q_i·k_j + q_i·W R(i - j) + u·k_j + v·W R(i - j)) / sqrt(D)

    R(d): the sinusoidal embedding of d, hidden wide, the sines before the cosines. u, v: (H, D); W: hidden → H·D.
    The paper's formula shares u and v among layers, its code has both ways; here they are the layer's own.
    With a Scale Hint d = i - c_h·n - j: R is defined for negative distances as it is.

    No table of R is kept: with g = Wᵀ(q_i + v), split into the parts g_s and g_c that meet sines and cosines,
    g·R(i - j) = Σ_m cos(j w_m)·[g_c cos(i w_m) + g_s sin(i w_m)] + sin(j w_m)·[g_c sin(i w_m) - g_s cos(i w_m)],
    a product of (T, hidden) and (S, hidden) that holds for any distance, whole or not.
    """

    name = "transformer_xl"
    per_layer = True

    @dataclass(frozen=True)
    class Options:
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            if config.hidden_size % 2:
                raise ValueError(f"'transformer_xl' needs an even hidden_size, not {config.hidden_size}.")

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.head_dim, self.hidden_size = config.head_dim, config.hidden_size
        self.scaling = config.head_dim**-0.5
        self.std = config.initializer_range
        self.project = nn.Linear(config.hidden_size, self.num_heads * self.head_dim, bias=False)
        self.u = nn.Parameter(torch.empty(self.num_heads, self.head_dim))
        self.v = nn.Parameter(torch.empty(self.num_heads, self.head_dim))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True)

    def init_weights(self) -> None:
        for parameter in (self.project.weight, self.u, self.v):
            init.normal_(parameter, mean=0.0, std=self.std)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S)."""
        half = self.hidden_size // 2
        frequencies = 10000.0 ** (-torch.arange(half, device=q.device, dtype=torch.float32) / half)
        weight = self.project.weight.float().view(self.num_heads, self.head_dim, self.hidden_size)
        sines, cosines = ((q.float() + self.v.float()[:, None]) @ weight).split(half, dim=-1)
        cos_i, sin_i = angle_features(ctx.shifted_queries(self.head_shifts()), frequencies)
        queries = torch.cat((cosines * cos_i + sines * sin_i, cosines * sin_i - sines * cos_i), -1)
        keys = torch.cat(angle_features(ctx.k_ids[:, None], frequencies), -1)
        content = torch.einsum("hd,bhsd->bhs", self.u.float(), k.float())[:, :, None]
        return ((queries @ keys.transpose(-1, -2) + content) * self.scaling).to(q.dtype)
