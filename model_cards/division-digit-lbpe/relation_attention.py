"""Attention over a few named keys per query: O(L·K) in time and memory instead of O(L²)."""

from __future__ import annotations

import torch


def relation_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    slots: torch.Tensor,
    valid: torch.Tensor,
    log_weight: torch.Tensor,
    scaling: float,
    sink_logit: float,
) -> torch.Tensor:
    """Softmax over at most K keys per head and query, and a sink with value zero [our formulation].

    weight(i, r) ∝ exp(q_i·k_{slot(i, r)} · scaling + log_weight_r), r = 1..K. A key named by two relations gets the
    sum of both, as in the dense form.

    Args:
        q: (B, H, T, D); k, v: (B, H, S, D).
        slots: (B|1, H, K, T) physical key slots; valid: same shape, bool.
        log_weight: (H, K), -inf for a slot that the head does not use.
        scaling: of the scores; sink_logit: logit of the sink.

    Returns:
        (B, H, T, D); exactly 0 where no key is valid.
    """
    batch, heads, queries, width = q.shape
    count = slots.shape[2]
    expand = (batch, heads, queries, width)
    scores = []
    for r in range(count):
        index = slots[:, :, r, :, None].expand(expand)
        scores.append((q * k.gather(2, index)).sum(-1))
    if not scores:
        return torch.zeros_like(q)
    logits = torch.stack(scores, dim=2).float() * scaling + log_weight[None, :, :, None]
    logits = logits.masked_fill(~valid, float("-inf"))
    sink = torch.full_like(logits[:, :, :1], sink_logit)
    probs = torch.cat((logits, sink), dim=2).softmax(dim=2)[:, :, :count].to(q.dtype)
    out = torch.zeros_like(q)
    for r in range(count):
        index = slots[:, :, r, :, None].expand(expand)
        out = torch.addcmul(out, probs[:, :, r, :, None], v.gather(2, index))
    return out
