"""Scaled RoPE frequencies, through transformers' own functions."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from .position_base import nearest

# The keys that each type takes beside `rope_type` and `factor`, as transformers names them, with their defaults
# where transformers has none; the original length is the configuration's max_position_embeddings by default.
_KEYS = {
    "linear": {},
    "dynamic": {"original_max_position_embeddings": None},
    "yarn": {
        "original_max_position_embeddings": None,
        "attention_factor": None,
        "beta_fast": None,
        "beta_slow": None,
        "mscale": None,
        "mscale_all_dim": None,
        "truncate": True,
    },
    "llama3": {"original_max_position_embeddings": None, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
}


def check_scaling(scaling: dict | None, turned: int) -> None:
    """The `scaling` option of a rotary embedding.

    Args:
        turned: dimensions of a head that turn.

    Raises:
        ValueError: an unknown type or key (with the nearest match), a value that is not a positive number, a factor
            below 1, 'dynamic' with only two dimensions (its exponent d / (d - 2) has no value).
    """
    if scaling is None:
        return
    kind = scaling.get("rope_type")
    if kind not in _KEYS:
        raise ValueError(
            f"position option scaling of 'rope' needs a rope_type, one of {', '.join(_KEYS)}, not {kind!r}."
            f"{nearest(kind, _KEYS)}"
        )
    allowed = ("rope_type", "factor", *_KEYS[kind])
    for key, value in scaling.items():
        if key not in allowed:
            raise ValueError(
                f"rope_type {kind!r} has no key {key!r}; it has {', '.join(allowed)}.{nearest(key, allowed)}"
            )
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
        if key not in ("rope_type", "truncate") and not number:
            raise ValueError(f"{key!r} in position option scaling of 'rope' must be a positive number, not {value!r}.")
    if scaling.get("factor", 0) < 1:
        raise ValueError(
            f"position option scaling of 'rope' needs a factor of at least 1, not {scaling.get('factor')!r}."
        )
    if kind == "dynamic" and turned < 4:
        raise ValueError(f"rope_type 'dynamic' needs at least 4 turned dimensions, not {turned}.")
    if kind == "llama3":
        low, high = (scaling.get(f"{end}_freq_factor", _KEYS[kind][f"{end}_freq_factor"]) for end in ("low", "high"))
        if low >= high:
            raise ValueError(f"rope_type 'llama3' needs low_freq_factor below high_freq_factor, not {low} and {high}.")


def grows_with_length(scaling: dict | None) -> bool:
    """The frequencies depend on the length of the input."""
    return scaling is not None and scaling["rope_type"] == "dynamic"


def _rope_config(scaling: dict, turned: int, theta: float, length: int) -> SimpleNamespace:
    """What transformers' functions read of a model's configuration."""
    parameters = {**_KEYS[scaling["rope_type"]], **scaling, "rope_theta": theta}
    original = scaling.get("original_max_position_embeddings") or length
    if "original_max_position_embeddings" in parameters:
        parameters["original_max_position_embeddings"] = original
    return SimpleNamespace(
        rope_parameters=parameters,
        rope_scaling=parameters,
        rope_theta=theta,
        # The turned dimensions stand for the whole head, so that no rounding happens twice.
        head_dim=turned,
        hidden_size=turned,
        num_attention_heads=1,
        max_position_embeddings=original,
        standardize_rope_params=lambda: None,
    )


def scaled_frequencies(scaling: dict | None, turned: int, theta: float, length: int, device):
    """Frequencies at lengths up to the original one.

    Args:
        scaling: the option, checked, or None for plain RoPE.
        turned: dimensions that turn; length: the configuration's max_position_embeddings.

    Returns:
        (turned / 2,) float32, and the factor by which queries and keys are multiplied.
    """
    if scaling is None:
        exponent = torch.arange(0, turned, 2, device=device, dtype=torch.float32) / turned
        return theta**-exponent, 1.0
    config = _rope_config(scaling, turned, theta, length)
    frequencies, factor = ROPE_INIT_FUNCTIONS[scaling["rope_type"]](config, device)
    return frequencies, float(factor)


def dynamic_frequencies(scaling: dict, turned: int, theta: float, length: int, lengths: torch.Tensor):
    """Frequencies of 'dynamic' at several lengths.

    Args:
        lengths: (B|1, T) tokens.

    Returns:
        (B|1, T, turned / 2) float32, and the original length, up to which they are the first ones.
    """
    config = _rope_config(scaling, turned, theta, length)
    frequencies, _ = ROPE_INIT_FUNCTIONS["dynamic"](config, lengths.device, seq_len=lengths[..., None])
    return frequencies, config.max_position_embeddings
