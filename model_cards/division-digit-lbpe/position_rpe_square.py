"""RPE-Square: a relative position between relative positions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding, ScaleShift, check_scale_shifts
from .position_context import PositionContext


class RelativeSquareEmbedding(ScaleShift, PositionEmbedding):
    """RPE-Square (2410.08898), our reading: the relation between query i and key j is the difference of their
    distances to anchors, tokens that each of them selects by content (a delimiter, say):

        bias(i, j) = Σ_{k ≤ i} Σ_{l ≤ j} P(i, k) · R(j, l) · b[h, (i - k) - (j - l)]
        P = softmax over k ≤ i of u_i·v_k / sqrt(a),   R = softmax over l ≤ j of s_j·t_l / sqrt(a)

    with u, v, s, t linear in the hidden state, `anchor_dim` = a wide, and b a table of 2·max_distance + 1 values per
    head, its index clipped. "The k-th digit after '='" and "the k-th digit after '+'" then have relation 0 whatever
    the widths of the operands. The idea (distances to special tokens, compared) is the paper's; widths, scaling and
    clipping are ours. With a Scale Hint the index is (i - c_h·n - k) - (j - l) [our formulation].

    The four vectors are cached beside the keys, so that R of old keys is had again: O(S²·a + S²·T) per step, O(S³)
    for a full pass. A custom mask restricts P alone.
    """

    name = "rpe_square"
    per_layer = True
    square_tables = True

    @dataclass(frozen=True)
    class Options:
        """anchor_dim: width of the vectors that select anchors; max_distance: the table's index is clipped to ± it."""

        anchor_dim: int = 16
        max_distance: int = 64
        scale_shifts: int = 4

        def validate(self, config) -> None:
            check_scale_shifts(self, config)
            for name in ("anchor_dim", "max_distance"):
                if getattr(self, name) < 1:
                    raise ValueError(
                        f"position option {name} of 'rpe_square' must be at least 1, not {getattr(self, name)}."
                    )

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.anchors = nn.Linear(config.hidden_size, self.num_heads * 4 * self.options.anchor_dim, bias=False)
        self.weight = nn.Parameter(torch.empty(self.num_heads, 2 * self.options.max_distance + 1))
        self.std = config.initializer_range

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True, export=False)

    def init_weights(self) -> None:
        init.normal_(self.weight, mean=0.0, std=self.std)
        init.normal_(self.anchors.weight, mean=0.0, std=self.std)

    def key_state(self, hidden: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, 4a): u, v, s, t of the new tokens."""
        return self.anchors(hidden).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def _selection(self, seeker, anchor, visible, slots) -> torch.Tensor:
        """(B, H, T, S): how much the token in `slots` (T,) selects the anchor at each distance 0, 1, …, S - 1.

        Args:
            seeker: (B, H, T, a); anchor: (B, H, S, a); visible: (B|1, 1|H, T, S).
        """
        scores = torch.matmul(seeker, anchor.transpose(2, 3)).float() * seeker.shape[-1] ** -0.5
        probs = scores.masked_fill(~visible, float("-inf")).softmax(-1)
        # From slots to distances. Nothing is selected in the future, so beyond the first slot there is only zero.
        place = slots[:, None] - torch.arange(anchor.shape[2], device=slots.device)
        moved = probs.gather(-1, place.clamp(min=0).expand_as(probs))
        return moved.masked_fill(place < 0, 0.0)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S)."""
        u, v, s, t = state.chunk(4, dim=-1)
        slots = torch.arange(k.shape[2], device=q.device)
        queries = slots[: q.shape[2]] + ctx.memo.get("query_offset", 0)
        earlier = (ctx.k_pos[:, None, :] <= ctx.k_pos[:, :, None]) & (ctx.k_pos[:, None, :] >= 0)
        # Every slot selects itself at least: no softmax over an empty set in padding.
        earlier = (earlier | torch.eye(len(slots), dtype=torch.bool, device=q.device))[:, None]
        of_query = self._selection(u[:, :, queries], v, ctx.visible, queries)
        of_key = self._selection(s, t, earlier, slots)

        furthest = self.options.max_distance
        relation = (slots[:, None] - slots[None, :])[None, None]
        if (shifts := self.head_shifts()) is not None:
            shift = shifts.to(q.device)[None, :] * ctx.total_scale()[:, None]
            relation = relation - shift[:, :, None, None]
        index = relation.clamp(-furthest, furthest) + furthest
        heads = torch.arange(self.num_heads, device=q.device)[None, :, None, None]
        table = self.weight.float()[heads, index]
        return (of_query @ table @ of_key.transpose(2, 3)).to(q.dtype)
