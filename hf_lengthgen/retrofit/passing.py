"""How the additions get into the base's forward pass: by a keyword, and by hooks on its attention modules.

The hooks are plain functions that find everything in the keyword `retrofit_pass`, which the base's layers hand on as
they do any keyword they do not know. A pass without it is the base's own, to the bit; copies and state dicts of the
base know nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from ..model.position_context import PositionContext, build_context
from .families import attention_modules, family_of
from .hints import Hints
from .relation_heads import KEYWORD


class AdapterCache:
    """The part of a DynamicCache behind the base's layers, as LengthGen attention sees a cache: adapter k keeps its
    keys at the base's number of layers + k, so that beams, batches and cropping take them along.

    Raises:
        ValueError: the cache cannot grow by layers.
    """

    def __init__(self, cache: Any, first: int):
        from transformers.cache_utils import DynamicCache

        if not isinstance(cache, DynamicCache):
            raise ValueError(
                f"a retrofitted model keeps its adapters' keys in a DynamicCache, not in a {type(cache).__name__}."
            )
        self.cache, self.first = cache, first

    def _layer(self, index: int):
        from transformers.cache_utils import DynamicLayer

        while len(self.cache.layers) <= self.first + index:
            self.cache.layers.append(DynamicLayer())
        return self.cache.layers[self.first + index]

    def get_query_offset(self, index: int = 0) -> int:
        return self.cache.get_seq_length(0)

    def get_mask_sizes(self, queries: int, index: int) -> tuple[int, int]:
        return self.get_query_offset() + queries, 0

    def update(self, key, value, index: int):
        return self._layer(index).update(key, value)


@dataclass
class Pass:
    """One forward pass: what the hooks need.

    Attributes:
        additions: layer of the base → its addition; order: layer → index among the adapted layers.
        context: where queries and keys stand.
        cache: an AdapterCache or None.
        active: (B, 1, 1) bool, or None for all.
        dropped: heads of the base whose rotary positions are off; rotary: the base's module that makes them.
        streams: index → the adapter's stream (B, T, width), for the one that follows.
    """

    additions: dict[int, torch.nn.Module]
    order: dict[int, int]
    context: PositionContext
    cache: AdapterCache | None  # the additions' keys; mode 'bias' has none of its own, and only looks at the base's
    active: torch.Tensor | None
    carry: bool
    mode: str
    dropped: list[int] = field(default_factory=list)
    rotary: torch.nn.Module | None = None
    streams: dict[int, torch.Tensor] = field(default_factory=dict)

    def adapt(self, layer: int, hidden: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """Attention's output with the adapter's."""
        index = self.order[layer]
        carried = self.streams.get(index - 1) if self.carry else None
        addition = self.additions[layer]
        own = next(addition.parameters()).dtype
        with torch.autocast(hidden.device.type, enabled=False):  # the additions are small, and exact relations matter
            added, self.streams[index] = addition(hidden.to(own), self.context, self.cache, carried)
        if added is None:
            return output
        if self.active is not None:
            added = torch.where(self.active, added, 0)
        return output + added.to(output.dtype)

    def bias(self, layer: int, hidden: torch.Tensor) -> torch.Tensor:
        bias = self.additions[layer](self.context, hidden.dtype)
        if self.cache is not None:
            # A layer with a sliding window keeps only its last keys.
            bias = bias[..., -self.cache.cache.get_mask_sizes(hidden.shape[1], layer)[0] :]
        return bias if self.active is None else torch.where(self.active[..., None], bias, 0)


def adapter_pass(model, hints: Hints, hidden_like, mask, position_ids, cache) -> Pass:
    """The pass of a batch in which the additions are not silent.

    Args:
        model: a RetrofitForCausalLM; hidden_like: (B, T, …) any tensor with the batch's shape.
    """
    config = model.config
    shell = None if cache is None else AdapterCache(cache, config.num_hidden_layers)
    # Hints are settled: the context gets them, and no input_ids to read others from.
    context = build_context(
        model.relation_config,
        model.position_modules(),
        None,
        hidden_like,
        mask,
        position_ids,
        shell,
        hints.scale,
        hints.boundaries,
    )
    active = None if hints.active is None or bool(hints.active.all()) else hints.active[:, None, None]
    additions = dict(zip(config.layers, model.additions, strict=True))
    order = {layer: index for index, layer in enumerate(config.layers)}
    dropped, rotary = [], None
    if config.own_positions == "drop":
        heads = range(config.base_config.num_attention_heads)
        dropped = list(heads) if config.heads is None else config.heads
        rotary = model.base.get_submodule(family_of(config.base_config.model_type).rotary)
    return Pass(additions, order, context, shell, active, config.carry, config.mode, dropped, rotary)


def _hidden(args, kwargs):
    return args[0] if args else kwargs["hidden_states"]


def _after(layer: int, module, args, kwargs, output):
    current = kwargs.get(KEYWORD)
    if current is None or current.mode != "adapter" or layer not in current.order:
        return None
    return current.adapt(layer, _hidden(args, kwargs), output[0]), *output[1:]


def _before(layer: int, module, args, kwargs):
    current = kwargs.get(KEYWORD)
    if current is None or current.mode != "bias" or layer not in current.order:
        return None
    return args, {**kwargs, "position_bias": current.bias(layer, _hidden(args, kwargs))}


def attach_hooks(base, layers: list[int]) -> None:
    """Put the hooks on the base's attention modules of these layers, once however many models share the base."""
    modules = attention_modules(base)
    for layer in layers:
        if not getattr(modules[layer], "retrofit_hooks", False):
            modules[layer].retrofit_hooks = True
            modules[layer].register_forward_hook(partial(_after, layer), with_kwargs=True)
            modules[layer].register_forward_pre_hook(partial(_before, layer), with_kwargs=True)
