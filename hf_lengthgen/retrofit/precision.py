"""Training a pretrained base in less time: in bfloat16, and compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any


def autocast(device: Any, mixed_precision: str) -> Any:
    """The context of a forward pass: matrix products of the base in bfloat16; sums, norms and losses in float32, and
    the additions too, since `passing.py` takes them out of it."""
    import torch

    return torch.autocast(device.type, torch.bfloat16) if mixed_precision == "bf16" else nullcontext()


@contextmanager
def frozen_in_bfloat16(model: Any, mixed_precision: str) -> Iterator[None]:
    """With 'bf16' holds the weights of the frozen linear layers in bfloat16 while training, and the exact ones after
    it. A step computes the same as without, where autocast rounds each of them anew."""
    import torch

    exact = {}
    if mixed_precision == "bf16":
        shared = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
        for module in model.modules():
            if (
                isinstance(module, torch.nn.Linear)
                and not module.weight.requires_grad
                and id(module.weight) not in shared
            ):
                exact[module.weight] = module.weight.data
                module.weight.data = module.weight.data.bfloat16()
    try:
        yield
    finally:
        for weight, data in exact.items():
            weight.data = data


@contextmanager
def compiled_layers(model: Any, enabled: bool) -> Iterator[None]:
    """While training, the base's layers without additions run compiled: one graph for all of them and for all lengths.
    That takes a minute once. On a CPU in bfloat16 a step of LoRA then takes about half as long."""
    from .families import decoder_layers

    layers = []
    if enabled:
        added = hasattr(model, "additions")
        found = decoder_layers(model.base if added else model)
        layers = [layer for index, layer in enumerate(found) if not (added and index in model.config.layers)]
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        yield
    finally:
        for layer in layers:
            layer._compiled_call_impl = None
