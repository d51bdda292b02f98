"""Training additions without running the base at every step.

Where the base is frozen and only its last layer's adapter writes (`writes="last"`), nothing that the base computes
below that place depends on the additions. For a pool of examples it is computed once and kept; a step then costs the
adapters, one feed-forward layer and the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .families import FAMILIES, attention_modules
from .hints import Hints
from .passing import adapter_pass

# Families whose layer is x + attention(norm(x)), then x + mlp(post_attention_layernorm(x)), then model.norm.
SEQUENTIAL = tuple(name for name in ("llama", "mistral", "qwen2", "qwen3", "olmo") if name in FAMILIES)


@dataclass
class Pooled:
    """Examples of one length.

    Attributes:
        hidden: adapted layer → what its attention reads, (B, L, hidden).
        residual: (B, A, hidden) the last layer's stream behind attention, where answer tokens are predicted.
        targets: (B, A) those tokens; scale: (B, hints).
    """

    hidden: dict[int, torch.Tensor]
    residual: torch.Tensor
    targets: torch.Tensor
    scale: torch.Tensor


def check_pool(model: Any) -> None:
    """Raise ValueError where the base's part of a step depends on the additions."""
    config = model.config
    last = config.num_hidden_layers - 1
    if config.mode != "adapter" or config.layers[-1] != last or (config.writes != "last" and len(config.layers) > 1):
        raise ValueError(f"a pool needs mode='adapter', writes='last' and layers that end with the last one, {last}.")
    if config.base_config.model_type not in SEQUENTIAL:
        raise ValueError(f"a pool is built for {', '.join(SEQUENTIAL)}, not {config.base_config.model_type!r}.")
    if any(p.requires_grad for p in model.base.parameters()):
        raise ValueError("a pool needs a frozen base: call freeze_base().")


@torch.no_grad()
def build_pool(
    model: Any, codec: Any, lengths: list[int], examples: int, seed: int, batch_size: int = 16
) -> dict[int, Pooled]:
    """length → `examples` pooled examples.

    Raises:
        ValueError: see `check_pool`.
    """
    check_pool(model)
    model.eval()
    return {n: _pool_length(model, codec, n, examples, seed, batch_size) for n in lengths}


def _pool_length(model, codec, n, examples, seed, batch_size) -> Pooled:
    layers, attentions = model.config.layers, attention_modules(model.base)
    samples = codec.task.sample(n, examples, np.random.default_rng([seed, n, 1]))
    rows = {key: torch.from_numpy(array) for key, array in codec.rows(samples).items()}
    if not bool(rows["attention_mask"].all()):
        raise ValueError("a pool needs rows of one length for each n; this task's are ragged.")
    labels = rows["labels"]
    answer = int((labels[0] != -100).sum())
    ids, targets, scale = (x.to(model.device) for x in (rows["input_ids"], labels[:, -answer:], rows["scale_hint"]))
    seen: dict[Any, list[torch.Tensor]] = {layer: [] for layer in layers}
    seen["residual"] = []

    def reads(layer):
        return lambda module, args, kwargs: seen[layer].append(args[0] if args else kwargs["hidden_states"])

    last = model.base.model.layers[layers[-1]]
    hooks = [attentions[layer].register_forward_pre_hook(reads(layer), with_kwargs=True) for layer in layers]
    hooks.append(
        last.post_attention_layernorm.register_forward_pre_hook(
            lambda module, args: seen["residual"].append(args[0][:, -answer - 1 : -1].clone())
        )
    )
    try:
        for start in range(0, examples, batch_size):
            model.base.model(input_ids=ids[start : start + batch_size], use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    hidden = {layer: torch.cat(seen[layer]) for layer in layers}
    return Pooled(hidden, torch.cat(seen["residual"]), targets, scale)


def pooled_logits(model: Any, pooled: Pooled, rows: torch.Tensor, head: torch.Tensor | None = None) -> torch.Tensor:
    """(B, A, V) logits of the answer tokens of some rows, as the whole model computes them.

    Args:
        rows: indices (B,); head: token ids (V,) to give logits for, None for all.
    """
    scale = pooled.scale[rows] if model.config.scale_hint != "none" else None
    first = pooled.hidden[model.config.layers[0]]
    current = adapter_pass(model, Hints(scale, None, None), first[rows], None, None, None)
    for layer in model.config.layers:
        hidden = pooled.hidden[layer][rows]
        added = current.adapt(layer, hidden, hidden.new_zeros(()))
    answer = pooled.residual.shape[1]
    stream = pooled.residual[rows] + added[:, -answer - 1 : -1]
    last = model.base.model.layers[model.config.layers[-1]]
    stream = model.base.model.norm(stream + last.mlp(last.post_attention_layernorm(stream)))
    weight = model.base.get_output_embeddings().weight
    return stream @ (weight if head is None else weight[head]).t()
