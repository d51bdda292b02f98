"""Where queries and keys stand: the one description of a forward pass that all position embeddings read."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .scale_hint import resolve_scale


@dataclass
class PositionContext:
    """Where the queries and keys of one forward pass stand. Built once, shared by all layers.

    Batch dimensions are B, or 1 where all examples agree, so that a bias is computed once for the whole batch.

    Attributes:
        q_pos: (B|1, T) logical positions of the queries, 0-based; -1 is padding.
        k_pos: (B|1, S) logical positions of the physical key slots; -1 is padding or an unwritten cache slot.
        left_pad: (B|1,) number of padding slots in front: physical slot = logical position + left_pad.
        q_ids, k_ids: the embedding's own ids (random, structured); the positions unless it made others.
        scale: (B|1, hints) Scale Hints, or None.
        boundaries: (B|1, hints, 2) logical positions of the delimiters around each hint's tokens, or None.
        custom_mask: (B|1, 1|H, T, S) bool, True = may attend; only where the caller passed a 4-D mask.
        plain_causal: no padding, no cache, no custom mask: a causal kernel needs no mask tensor.
        probabilities: those of the attention are asked for, which a path of the embedding's own does not give.
        memo: results that depend on the context alone, kept from layer to layer.
    """

    q_pos: torch.Tensor
    k_pos: torch.Tensor
    left_pad: torch.Tensor
    q_ids: torch.Tensor
    k_ids: torch.Tensor
    scale: torch.Tensor | None = None
    boundaries: torch.Tensor | None = None
    custom_mask: torch.Tensor | None = None
    plain_causal: bool = False
    probabilities: bool = False
    memo: dict = field(default_factory=dict)

    @property
    def visible(self) -> torch.Tensor:
        """(B|1, 1|H, T, S) bool: the keys that each query may read. A padding query reads its own slot, so that
        no softmax runs over an empty set; nothing reads its output."""
        if "visible" not in self.memo:
            q, k = self.q_pos[:, :, None], self.k_pos[:, None, :]
            visible = ((k >= 0) & (k <= q))[:, None]
            if self.custom_mask is not None:
                visible = visible & self.custom_mask
            slots = torch.arange(k.shape[-1], device=k.device)
            offset = self.memo.get("query_offset", 0)
            own = (slots[None, :] == slots[: q.shape[1], None] + offset)[None, None]
            self.memo["visible"] = visible | (own & ~visible.any(-1, keepdim=True))
        return self.memo["visible"]

    def total_scale(self) -> torch.Tensor:
        """(B|1,) the sum of an example's hints, by which relative embeddings shift their queries."""
        return self.scale.sum(-1)

    def shifted_queries(self, shifts: torch.Tensor | None = None) -> torch.Tensor:
        """(B|1, H|1, T) the id of the position i - c·n for each query i.

        An embedding's own ids are a function of the position, so they are looked up at i - c·n; before the beginning
        they go on downwards in steps of one.

        Args:
            shifts: (H,) the multiple c of the scale by which each head moves its query; None is 0 everywhere.
        """
        if shifts is None or self.scale is None:
            return self.q_ids[:, None]
        shift = (shifts.to(self.q_ids.device)[None, :] * self.total_scale()[:, None])[..., None]
        if self.k_ids is self.k_pos:
            return self.q_ids[:, None] - shift
        moved = self.q_pos[:, None] - shift
        slots = moved.clamp(min=0) + self.left_pad[:, None, None]
        slots = slots.expand(max(len(slots), len(self.k_ids)), -1, -1)
        ids = self.k_ids.expand(len(slots), -1).gather(1, slots.flatten(1)).view(slots.shape)
        return ids + moved.clamp(max=0)

    def distance(self, shifts: torch.Tensor | None = None) -> torch.Tensor:
        """(B|1, H|1, T, S) signed distance i - c·n - j from query to key, in ids.

        Args:
            shifts: (H,) the multiple c of the scale by which each head moves its query; None is 0 everywhere.
        """
        return self.shifted_queries(shifts)[..., None] - self.k_ids[:, None, None, :]


def _same_rows(x: torch.Tensor | None) -> torch.Tensor | None:
    """The tensor with its batch dimension reduced to 1 where all rows agree (not while compiling)."""
    if x is None or x.shape[0] == 1 or torch.compiler.is_compiling() or not bool((x == x[:1]).all()):
        return x
    return x[:1]


def _four_dimensional(mask: torch.Tensor) -> torch.Tensor:
    """Bool, True = may attend, of a 4-D mask: bool, integers (0 = may not), or what is added to the logits.

    Raises:
        ValueError: an additive mask that weakens a key instead of hiding it.
    """
    if not mask.is_floating_point():
        return mask != 0
    if not torch.compiler.is_compiling():
        hidden = mask <= torch.finfo(mask.dtype).min / 2
        if bool(((mask != 0) & ~hidden).any()):
            raise ValueError("an additive 4-D attention_mask holds 0 and -inf (or the dtype's minimum) only.")
    return mask >= 0


def left_padding(mask, position_ids, offset: int, queries: int, device) -> torch.Tensor:
    """(B|1,) padding slots in front of each example.

    Raises:
        ValueError: a mask of a wrong length, or with holes.
    """
    if mask is None:
        if position_ids is None:
            return torch.zeros(1, dtype=torch.long, device=device)
        return offset + queries - 1 - position_ids[:, -1].to(device)
    mask = mask.to(device) != 0
    if mask.shape[1] < offset + queries:
        raise ValueError(
            f"attention_mask covers {mask.shape[1]} tokens, the input and its cache have {offset + queries}."
        )
    left_pad = mask.int().argmax(-1)
    if not torch.compiler.is_compiling():
        run = mask.sum(-1)
        index = torch.arange(mask.shape[1], device=device)
        block = (index >= left_pad[:, None]) & (index < (left_pad + run)[:, None])
        if bool((block != mask).any()):
            row = int((block != mask).any(-1).nonzero()[0])
            raise ValueError(f"attention_mask of example {row} has holes; only padding at the ends is supported.")
    return left_pad


def given_structure_ids(embedding, given, batch: int, written: int, k_pos: torch.Tensor) -> torch.Tensor:
    """(B, S) the structured ids that the caller hands on, over all slots; -1 where nothing is written.

    Args:
        given: (B, at least past + T) integers; what lies beyond is for steps to come.

    Raises:
        ValueError: the embedding has no structured ids, or they are not integers of that shape.
    """
    if not embedding.capabilities.structured_ids:
        raise ValueError(f"the position embedding {embedding.name!r} takes no position_structure_ids.")
    ids = torch.as_tensor(given, device=k_pos.device)
    if ids.is_floating_point() or ids.dtype == torch.bool or ids.dim() != 2 or ids.shape[0] != batch:
        raise ValueError(
            f"position_structure_ids must be integers ({batch}, past + new tokens), not {ids.dtype} of shape "
            f"{tuple(ids.shape)}."
        )
    if ids.shape[1] < written:
        raise ValueError(
            f"position_structure_ids covers {ids.shape[1]} tokens, the input and its cache have {written}."
        )
    ids = torch.nn.functional.pad(ids[:, :written].long(), (0, k_pos.shape[1] - written), value=-1)
    return torch.where(k_pos >= 0, ids, -1)


def build_context(
    config,
    embeddings,
    input_ids,
    hidden,
    mask,
    position_ids,
    cache,
    scale_hint,
    scale_boundaries,
    structure_ids=None,
    probabilities=False,
) -> PositionContext:
    """The context of one forward pass.

    Args:
        embeddings: the model's position embeddings.
        input_ids: (B, T) or None; hidden: (B, T, hidden).
        mask, position_ids, cache, scale_hint, scale_boundaries, structure_ids: as given to `LengthGenModel.forward`.
        probabilities: see `PositionContext`.

    Raises:
        ValueError, ScaleHintError: see `LengthGenModel.forward`.
    """
    batch, queries = hidden.shape[:2]
    device = hidden.device
    offset = int(cache.get_query_offset(0)) if cache is not None else 0
    slots = int(cache.get_mask_sizes(queries, 0)[0]) if cache is not None else queries
    custom_mask = None
    if mask is not None and mask.dim() == 4:
        custom_mask = _four_dimensional(mask)[..., :slots]
        mask = None
    left_pad = _same_rows(left_padding(mask, position_ids, offset, queries, device))

    def positions(start: int, count: int) -> torch.Tensor:
        logical = torch.arange(start, start + count, device=device)[None] - left_pad[:, None]
        return logical.clamp(min=-1)

    q_pos = positions(offset, queries)
    if position_ids is not None and not torch.compiler.is_compiling():
        given = position_ids.to(device)[:, -queries:]
        if mask is None:  # what stands before position 0 has to be padding, which has one number for all
            wrong = (given != torch.where(q_pos >= 0, q_pos, given[:, :1])) | (left_pad[:, None] < 0)
        else:
            wrong = (given != q_pos) & (q_pos >= 0) & (mask[:, -queries:] != 0)
        if bool(wrong.any()):
            raise ValueError("position_ids must count 0, 1, 2, … from the first real token of each example.")
    k_pos = positions(0, slots)
    written = offset + queries
    if slots > written:
        k_pos = torch.where(torch.arange(slots, device=device) < written, k_pos, -1)
    full_ids = input_ids if offset == 0 else None
    boundaries_wanted = any(p.uses_segments for p in embeddings)
    scale, boundaries = resolve_scale(
        config, full_ids, left_pad, batch, device, scale_hint, scale_boundaries, boundaries_wanted
    )
    if structure_ids is not None:
        ids = given_structure_ids(embeddings[0], structure_ids, batch, written, k_pos)
    else:
        ids = embeddings[0].make_ids(full_ids, k_pos)
    plain = (
        custom_mask is None
        and left_pad.shape[0] == 1
        and not torch.compiler.is_compiling()
        and int(left_pad) == 0
        and (offset == 0 or queries == 1)
        and slots == written
    )
    context = PositionContext(
        q_pos=q_pos,
        k_pos=k_pos,
        left_pad=left_pad,
        q_ids=q_pos if ids is None else ids[:, offset:written],
        k_ids=k_pos if ids is None else ids,
        scale=_same_rows(scale),
        boundaries=_same_rows(boundaries),
        custom_mask=custom_mask,
        plain_causal=plain,
        probabilities=probabilities,
    )
    context.memo["query_offset"] = offset
    return context
