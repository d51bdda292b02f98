"""A model as a plain function of tensors, for torch.export and ONNX, and whether that can be had."""

from __future__ import annotations

import copy
from typing import Any

import torch

from ..evaluation.result import Result

# What a result may have recorded of the model, and position embeddings read.
SETTINGS = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings",
    "attention_temperature", "temperature_length", "logit_scale",
)  # fmt: skip


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
        ValueError: the model reads segments off the prompt (relations on offsets).
    """
    twin = copy.deepcopy(model).eval()
    if twin.config.scale_hint != "none":
        if any(module.uses_segments for module in twin.position_modules()):
            raise ValueError(
                "a model with relations on offsets reads where the operands lie off the prompt, which an exported "
                "graph cannot do."
            )
        twin.config.scale_hint, twin.config.scale_rule = "input", None
    return Exportable(twin).eval()


def result_exports(result: Result) -> bool:
    """Whether the model of a result can be exported, as its position embedding, built from the result alone, declares.

    False too where nothing is known of the embedding: another package's, which is not registered here.
    """
    try:
        return all(part.capabilities.export and not part.uses_segments for part in _embeddings(result))
    except ValueError:
        return False


def _embeddings(result: Result) -> list[Any]:
    """The position embedding of every layer, without trained weights."""
    from ..model.configuration_lengthgen import LengthGenConfig
    from ..model.position_registry import get_position_embedding

    opened = [[[text for text, _ in head] for head in layer] for layer in result.relations or []]
    heads = len(opened[0]) if opened else 16
    # Where nothing is recorded, room for whatever the options may ask for.
    sizes = {"num_hidden_layers": len(opened) or 1, "num_attention_heads": heads, "hidden_size": 32 * heads}
    sizes |= {"max_position_embeddings": 1 << 20}
    config = LengthGenConfig(
        **sizes | {key: result.settings[key] for key in SETTINGS if key in result.settings},
        vocab_size=1 << 16,  # the options may name any token
        position_embedding=result.position_embedding,
        position_options=result.position_options,
        scale_hint="none" if result.scale_hint == "none" else "input",
        num_scale_hints=max((len(score.n) for score in result.lengths), default=1),
        open_relations=opened or None,
    )
    cls = get_position_embedding(result.position_embedding)
    layers = range(config.num_hidden_layers) if cls.resolve(config).per_layer else [None]
    with torch.device("meta"):  # shapes without memory
        return [cls.build(config, layer) for layer in layers]
