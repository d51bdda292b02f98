"""Heads of the base without their own rotary positions: `own_positions="drop"`.

The base rotates queries and keys before it calls the attention function, and caches rotated keys. A rotation is undone
by its transpose, so an attention function of our own turns those of the chosen heads back and hands all on to sdpa
[our formulation]. A constant added to every position of a sequence turns query and key alike and leaves their product:
positions may therefore be counted from the first real token, whatever the base counted from.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .families import FAMILIES, family_of

NAME = "lengthgen_relation_heads"
KEYWORD = "retrofit_pass"
# Their frequencies depend on the length of the sequence: keys in the cache were turned by others than those of now.
CHANGING = ("dynamic", "longrope")


def check_rotary(config: Any) -> None:
    """Raise ValueError where a base's own positions cannot be switched off, its configuration given."""
    if family_of(config.model_type).rotary is None:
        others = ", ".join(name for name, family in FAMILIES.items() if family.rotary)
        raise ValueError(
            f"own_positions='drop' switches rotary positions off; {config.model_type!r} has none, but position "
            f"embeddings added to its tokens. It works for {others}."
        )
    kind = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    if any(word in kind for word in CHANGING):
        raise ValueError(
            f"own_positions='drop' needs rotary positions that do not depend on the length; this base has {kind!r}."
        )


def turn_back(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, scaling: float = 1.0) -> torch.Tensor:
    """x (B, H, T, D) without the rotation by (cos, sin), (B|1, T, R) each with R ≤ D, the part that was turned.

    Args:
        scaling: the factor that the base's rotary embedding has multiplied cos and sin with.
    """
    width = cos.shape[-1]
    turned = x[..., :width].float()
    first, second = turned.chunk(2, -1)
    back = (turned * cos[:, None] - torch.cat((-second, first), -1) * sin[:, None]) / scaling**2
    return torch.cat((back.to(x.dtype), x[..., width:]), -1)


def without_rotary(
    x: torch.Tensor, positions: torch.Tensor, heads: list[int], rotary: Any, active: torch.Tensor | None
) -> torch.Tensor:
    """x (B, H, T, D) with the rotary positions (B|1, T) of these heads undone, in the examples that are active."""
    cos, sin = rotary(x.float(), positions.clamp(min=0))
    plain = x.clone()
    plain[:, heads] = turn_back(x[:, heads], cos, sin, getattr(rotary, "attention_scaling", 1.0))
    return plain if active is None else torch.where(active[..., None], plain, x)


def relation_heads_attention(module, query, key, value, attention_mask, **kwargs):
    """transformers' sdpa, where a pass says so with some heads turned back: query (B, H, T, D), key (B, K, S, D)."""
    current = kwargs.pop(KEYWORD, None)
    if current is not None and current.dropped and module.layer_idx in current.order:
        context, groups = current.context, query.shape[1] // key.shape[1]
        key, value = (x.repeat_interleave(groups, 1) for x in (key, value))  # heads of one group may now differ
        options = current.dropped, current.rotary, current.active
        query = without_rotary(query, context.q_pos, *options)
        key = without_rotary(key, context.k_pos[:, -key.shape[2] :], *options)
        module = SimpleNamespace(is_causal=getattr(module, "is_causal", True))  # sdpa would repeat keys once more
    return ALL_ATTENTION_FUNCTIONS["sdpa"](module, query, key, value, attention_mask, **kwargs)


AttentionInterface.register(NAME, relation_heads_attention)
AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
