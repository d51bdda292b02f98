"""Where the attention layers of the supported decoder families are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from ..model.position_base import nearest


@dataclass(frozen=True)
class Family:
    """One family of transformers.

    Attributes:
        layers: path from the causal LM to the list of its decoder layers.
        attention: name of the attention module in a layer. It is called with the hidden states first (by position
            or as `hidden_states`), hands unknown keywords on to the attention function, and returns a tuple whose
            first entry is its output (B, T, hidden).
        rotary: path to the module that makes cos and sin of positions; None: the family has no rotary positions.
    """

    layers: str
    attention: str
    rotary: str | None


_LLAMA = Family("model.layers", "self_attn", "model.rotary_emb")
FAMILIES: dict[str, Family] = {
    "llama": _LLAMA,  # SmolLM, SmolLM2 and many others are Llama
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "olmo": _LLAMA,
    "phi": _LLAMA,
    "gpt_neox": Family("gpt_neox.layers", "attention", "gpt_neox.rotary_emb"),
    "gpt2": Family("transformer.h", "attn", None),
}


def family_of(model_type: str) -> Family:
    """The family of a configuration's `model_type`.

    Raises:
        ValueError: it is none of the supported ones.
    """
    if model_type not in FAMILIES:
        raise ValueError(
            f"retrofit does not know the family {model_type!r}; it knows {', '.join(FAMILIES)}."
            f"{nearest(model_type, FAMILIES)}"
        )
    return FAMILIES[model_type]


def decoder_layers(base: Any) -> list[nn.Module]:
    """The decoder layers of a causal LM of a supported family, in order."""
    return list(base.get_submodule(family_of(base.config.model_type).layers))


def attention_modules(base: Any) -> list[nn.Module]:
    """The attention module of every decoder layer, in order.

    Raises:
        ValueError: an unknown family, or not the causal LM of its family.
    """
    family = family_of(base.config.model_type)
    try:
        return [getattr(layer, family.attention) for layer in decoder_layers(base)]
    except AttributeError:
        raise ValueError(
            f"retrofit takes the causal language model of a family, whose layers are at {family.layers!r}; "
            f"{type(base).__name__} has none there."
        ) from None


def only_device(base):
    """The device that the base lies on.

    Raises:
        ValueError: several devices, or weights that are offloaded: additions would meet tensors of another device.
    """
    devices = sorted({str(parameter.device) for parameter in base.parameters()})
    offloaded = "meta" in devices and any(hasattr(module, "_hf_hook") for module in base.modules())
    if len(devices) > 1 or offloaded:
        raise ValueError(f"additions need a base that lies on one device, not on {' and '.join(devices)}.")
    return base.device


def check_base(base: Any) -> None:
    """Raise ValueError unless `base` is a causal LM of a supported family with an attention that takes a bias."""
    if not hasattr(base, "config") or not hasattr(base, "get_output_embeddings"):
        raise ValueError(f"retrofit takes a causal language model of transformers, not {type(base).__name__}.")
    attention_modules(base)
    if base.get_output_embeddings() is None:
        raise ValueError(f"retrofit takes a model with a language-model head; {type(base).__name__} has none.")
