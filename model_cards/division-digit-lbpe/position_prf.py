"""Two other parametrisations of the learned position relation function, for comparison with `linear`."""

from __future__ import annotations

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding, ScaleShift
from .position_context import PositionContext
from .position_learned import LearnedOptions


def _signed_log(x: torch.Tensor) -> torch.Tensor:
    return torch.sign(x) * torch.log1p(x.abs())


class MlpRelationEmbedding(PositionEmbedding):
    """φ(i, j, n) = softmax over K relation slots of a small network on features of (i, j, n); the bias of head h is
    Σ_k φ_k · b[h, k] [our reading of 2510.04130]. Dense; nothing bounds it beyond the trained range."""

    name = "lbpe"
    per_layer = True
    takes_scale_hint = True
    Options = LearnedOptions

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        hints = config.num_scale_hints if self.has_scale else 0
        self.hidden = nn.Linear(3 + 4 * hints, 32)
        self.slots = nn.Linear(32, self.options.slots)
        self.weight = nn.Parameter(torch.empty(self.num_heads, self.options.slots))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True, export=not self.has_scale)

    def init_weights(self) -> None:
        init.normal_(self.weight, mean=0.0, std=1.0)
        for layer in (self.hidden, self.slots):
            init.normal_(layer.weight, mean=0.0, std=layer.in_features**-0.5)
            init.zeros_(layer.bias)

    def relation_values(self, ctx: PositionContext) -> torch.Tensor:
        """(B|1, T, S, K) soft assignment of each pair to a relation slot."""
        i, j = ctx.q_ids[:, :, None].float(), ctx.k_ids[:, None, :].float()
        distance = i - j
        features = [_signed_log(distance), _signed_log(i).expand_as(distance), _signed_log(j).expand_as(distance)]
        if ctx.scale is not None:
            batch = max(len(distance), len(ctx.scale))
            features = [f.expand(batch, -1, -1) for f in features]
            for n in ctx.scale.float().unbind(-1):
                n = n[:, None, None].expand_as(features[0])
                features += [_signed_log(n), distance / n, j / n, _signed_log(distance - n)]
        x = torch.stack([f.expand_as(features[-1]) for f in features], dim=-1).to(self.hidden.weight.dtype)
        return self.slots(torch.nn.functional.silu(self.hidden(x))).softmax(-1)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H, T, S)."""
        return torch.einsum("btsk,hk->bhts", self.relation_values(ctx), self.weight).to(q.dtype)


class TableRelationEmbedding(ScaleShift, PositionEmbedding):
    """φ(i, j, n) = i - c_h·n - j clipped to ± table_window, a free value b[h, φ] each: ordinary learned RPE."""

    name = "lbpe"
    per_layer = True
    takes_scale_hint = True
    Options = LearnedOptions

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.weight = nn.Parameter(torch.empty(self.num_heads, 2 * self.options.table_window + 1))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True)

    def init_weights(self) -> None:
        init.zeros_(self.weight)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H, T, S)."""
        window = self.options.table_window
        index = ctx.distance(self.head_shifts()).clamp(-window, window) + window
        heads = torch.arange(self.num_heads, device=q.device)[None, :, None, None]
        return self.weight[heads, index].to(q.dtype)


PRF_CLASSES = {"mlp": MlpRelationEmbedding, "table": TableRelationEmbedding}
