"""A model as a plain function of tensors, for torch.export and ONNX."""

from __future__ import annotations

import copy
from typing import Any

import torch


class Exportable(torch.nn.Module):
    """input_ids (B, T), and scale_hint (B, hints) if the model uses one -> logits (B, T, vocab); without cache."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, scale_hint: torch.Tensor | None = None) -> torch.Tensor:
        hint = {} if scale_hint is None else {"scale_hint": scale_hint}
        return self.model(input_ids=input_ids, use_cache=False, **hint).logits


def exportable(model: Any) -> Exportable:
    """A copy of the model that takes its Scale Hint as an input: reading it off the prompt depends on the data, which
    an exported graph cannot. Prompts of one call are unpadded and equally long.

    Raises:
        ValueError: the model reads segments off the prompt (several hints with relations on offsets).
    """
    twin = copy.deepcopy(model).eval()
    if twin.config.scale_hint != "none":
        relations = twin.relations() or []
        if any("segment" in text for layer in relations for head in layer for text, _ in head):
            raise ValueError(
                "a model with relations on offsets reads where the operands lie off the prompt, which an exported "
                "graph cannot do."
            )
        twin.config.scale_hint, twin.config.scale_rule = "input", None
    return Exportable(twin).eval()
