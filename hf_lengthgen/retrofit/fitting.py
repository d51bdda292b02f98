"""Whether additions fit a base."""

from __future__ import annotations

import hashlib
import json
import warnings
from typing import Any

import torch

# What the base computes depends on these alone, besides its weights.
SIZES = ("model_type", "hidden_size", "num_hidden_layers", "vocab_size")
ARCHITECTURE = (
    *SIZES, "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size", "n_inner", "hidden_act",
    "hidden_activation", "activation_function", "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "clip_qkv",
    "rope_parameters", "partial_rotary_factor", "sliding_window", "tie_word_embeddings", "use_parallel_residual",
)  # fmt: skip
SAMPLE = 4096  # values of the token embeddings


def architecture(config: Any) -> dict[str, Any]:
    """The keys of a configuration that say what is computed."""
    return {key: getattr(config, key) for key in ARCHITECTURE if getattr(config, key, None) is not None}


def architecture_digest(config: Any) -> str:
    text = json.dumps(architecture(config), sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def weights_digest(model: Any) -> str | None:
    """Of a sample of the token embeddings in bfloat16, the same for a base loaded in float32 or bfloat16; None
    where the weights are not there or not plain."""
    weight = model.get_input_embeddings().weight
    if weight.is_meta or not weight.is_floating_point():
        return None
    flat = weight.detach().flatten()
    step = max(1, flat.numel() // SAMPLE)
    sample = flat[::step][:SAMPLE].to("cpu", torch.bfloat16).contiguous().view(torch.int16).numpy()
    return hashlib.blake2b(sample.tobytes(), digest_size=16).hexdigest()


def check_fit(config: Any, base: Any) -> None:
    """Warns where the base has the right architecture and other weights.

    Raises:
        ValueError: the base is of another architecture than the one the additions were made on.
    """
    wanted, given = config.base_config, base.config
    for key in SIZES:
        if getattr(given, key, None) != getattr(wanted, key, None):
            raise ValueError(
                f"these additions were made on a base with {key}={getattr(wanted, key, None)!r}; the given base has "
                f"{key}={getattr(given, key, None)!r}."
            )
    if config.base_digest is not None and architecture_digest(given) != config.base_digest:
        a, b = architecture(wanted), architecture(given)
        different = sorted(key for key in a | b if a.get(key) != b.get(key)) or ["architecture"]
        raise ValueError(
            f"these additions were made on a base that differs from the given one in {', '.join(different)}."
        )
    digest = weights_digest(base)
    if config.base_weights is not None and digest is not None and digest != config.base_weights:
        warnings.warn(
            f"the given base has the right architecture, but not the weights of {config.base_name or 'the base'} that "
            f"these additions were trained on.",
            stacklevel=3,
        )
