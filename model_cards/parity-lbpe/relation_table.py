"""Relations as tensors: where each holds, and which key it names."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .position_context import PositionContext
from .relation import LinearRelation

# Above this many (relation, query, key) triples the queries are taken in pieces: 16 Mi, 128 MB as integers.
MAX_TRIPLES = 1 << 24


def distinct_rows(ctx: PositionContext) -> tuple[PositionContext, torch.Tensor | None]:
    """The context reduced to its distinct examples, and the index (B,) that undoes it (None: nothing to undo).

    Where a relation holds depends on padding, scale and boundaries alone, so a batch with few distinct scales
    needs few tables.
    """
    batch = ctx.scale.shape[0] if ctx.scale is not None else 1
    batch = max(batch, ctx.q_pos.shape[0])
    if batch == 1 or torch.compiler.is_compiling():
        return ctx, None
    if "distinct_rows" not in ctx.memo:
        columns = [ctx.left_pad.expand(batch)[:, None], ctx.q_pos[:, :1].expand(batch, 1)]
        columns += [ctx.q_pos[:, -1:].expand(batch, 1), ctx.k_pos.amax(-1, keepdim=True).expand(batch, 1)]
        if ctx.scale is not None:
            columns.append(ctx.scale.expand(batch, -1))
        if ctx.boundaries is not None:
            columns.append(ctx.boundaries.flatten(1).expand(batch, -1))
        rows, inverse = torch.unique(torch.cat(columns, dim=1), dim=0, return_inverse=True)
        first = torch.zeros(len(rows), dtype=torch.long, device=inverse.device)
        first.scatter_(0, inverse, torch.arange(batch, device=inverse.device))

        def take(x):
            return x if x is None or x.shape[0] == 1 else x[first]

        reduced = PositionContext(
            q_pos=take(ctx.q_pos), k_pos=take(ctx.k_pos), left_pad=take(ctx.left_pad), q_ids=take(ctx.q_ids),
            k_ids=take(ctx.k_ids), scale=take(ctx.scale), boundaries=take(ctx.boundaries),
        )  # fmt: skip
        ctx.memo["distinct_rows"] = reduced, inverse
    return ctx.memo["distinct_rows"]


def segment_offsets(positions: torch.Tensor, boundaries: torch.Tensor) -> torch.Tensor:
    """Distance of each position from the last delimiter at or before it.

    Args:
        positions: (B|1, T); boundaries: (B|1, hints, 2).

    Returns:
        (B, T); the position itself where no delimiter comes before.
    """
    gaps = positions[:, :, None] - boundaries.flatten(1)[:, None, :]
    gaps = torch.where(gaps < 0, positions[:, :, None], gaps)
    return gaps.amin(-1)


class RelationTable:
    """A sequence of R relations as coefficient tensors."""

    def __init__(self, relations: Sequence[LinearRelation], hints: int):
        self.relations = tuple(relations)
        self.hints = hints
        self._tensors: dict[str, tuple[torch.Tensor, ...]] = {}

    def __len__(self) -> int:
        return len(self.relations)

    def tensors(self, device) -> tuple[torch.Tensor, ...]:
        """a, b (R,); c (R, hints); d (R,); segment (R,), -1 for none."""
        key = str(device)
        if key not in self._tensors or torch.compiler.is_compiling():
            rows = [(r.a, r.b, r.d, -1 if r.segment is None else r.segment, *r.c) for r in self.relations]
            width = 4 + max(self.hints, 0)
            rows = [row + (0,) * (width - len(row)) for row in rows]
            table = torch.tensor(rows, dtype=torch.long, device=device).reshape(-1, width)
            made = table[:, 0], table[:, 1], table[:, 4:], table[:, 2], table[:, 3]
            if torch.compiler.is_compiling():
                return made
            self._tensors[key] = made
        return self._tensors[key]

    def _shift(self, c: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        """(B|1, R) c·n."""
        if ctx.scale is None:
            return torch.zeros(1, len(self), dtype=torch.long, device=c.device)
        return (ctx.scale[:, None, :] * c[None]).sum(-1)

    def holds(self, ctx: PositionContext, rows: slice = slice(None)) -> torch.Tensor:
        """(B|1, R, T, S) bool: relation r holds between query and key. Says nothing of visibility.

        Args:
            rows: the queries wanted.
        """
        q, k = ctx.q_pos[:, None, rows, None], ctx.k_pos[:, None, None, :]
        a, b, c, d, segment = self.tensors(q.device)
        target = (d - self._shift(c, ctx))[:, :, None, None]
        holds = a[:, None, None] * q + b[:, None, None] * k == target
        if any(r.segment is not None for r in self.relations):
            holds = torch.where((segment >= 0)[:, None, None], self._hold_in_segments(ctx, rows, d, segment), holds)
        return holds

    def _hold_in_segments(self, ctx, rows, d, segment):
        start, end = ctx.boundaries[:, segment.clamp(min=0)].unbind(-1)
        k = ctx.k_pos[:, None, :]
        inside = (k > start[:, :, None]) & (k < end[:, :, None])
        offset_q = segment_offsets(ctx.q_pos, ctx.boundaries)[:, None, rows, None]
        offset_k = (k - start[:, :, None])[:, :, None, :]
        return inside[:, :, None, :] & (offset_q - offset_k == d[:, None, None])

    def keys(self, ctx: PositionContext) -> tuple[torch.Tensor, torch.Tensor]:
        """The key that every relation names for every query.

        Returns:
            slot: (B|1, R, T) physical key slot, 0 where there is none; valid: (B|1, R, T) bool, the relation names
            a key and the query may see it.
        """
        q = ctx.q_pos[:, None, :]
        a, b, c, d, segment = self.tensors(q.device)
        rest = (d - self._shift(c, ctx))[:, :, None] - a[:, None] * q
        j = torch.div(rest, b[:, None], rounding_mode="floor")
        valid = j * b[:, None] == rest
        if any(r.segment is not None for r in self.relations):
            start, end = ctx.boundaries[:, segment.clamp(min=0)].unbind(-1)
            offset = segment_offsets(ctx.q_pos, ctx.boundaries)[:, None, :] - d[:, None]
            inside = start[:, :, None] + offset
            is_segment = (segment >= 0)[:, None]
            j = torch.where(is_segment, inside, j)
            valid = torch.where(is_segment, (offset > 0) & (inside < end[:, :, None]), valid)
        valid = valid & (j >= 0) & (j <= q)
        return torch.where(valid, j + ctx.left_pad[:, None, None], 0), valid

    def weigh(self, weights: torch.Tensor, ctx: PositionContext, other: torch.Tensor | None = None) -> torch.Tensor:
        """Sum of the weights of all relations that hold.

        Args:
            weights: (H, R) non-negative.
            other: (H,) weight of pairs where none of the R relations holds, or None for 0.

        Returns:
            (B|1, H, T, S), the dtype of `weights`.
        """
        ctx, undo = distinct_rows(ctx)
        queries = ctx.q_pos.shape[1]
        triples = max(len(self), 1) * ctx.k_pos.shape[1]
        step = queries if torch.is_grad_enabled() or torch.compiler.is_compiling() else max(1, MAX_TRIPLES // triples)
        pieces = []
        for start in range(0, queries, max(step, 1)):
            holds = self.holds(ctx, slice(start, start + step))
            piece = torch.einsum("hr,brts->bhts", weights, holds.to(weights.dtype))
            if other is not None:
                piece = piece + other[None, :, None, None] * (~holds.any(1, keepdim=True)).to(weights.dtype)
            pieces.append(piece)
        total = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)
        return total if undo is None else total[undo]
