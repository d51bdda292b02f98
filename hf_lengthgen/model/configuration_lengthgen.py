"""Configuration of a LengthGen model.

No `from __future__ import annotations` here: `strict` checks types only where annotations are types.
"""

from dataclasses import fields
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .position_base import nearest
from .scale_hint import check_rule

SCALE_HINT_MODES = ("none", "input", "prompt")
TEMPERATURES = ("none", "log_length")
# What PreTrainedConfig itself reads from the keywords, beyond its fields.
_INHERITED_KEYWORDS = {
    "model_type", "auto_map", "torch_dtype", "name_or_path", "_name_or_path", "_commit_hash", "num_labels",
    "output_attentions", "attn_implementation", "_attn_implementation", "experts_implementation",
    "_attn_implementation_internal", "_experts_implementation_internal", "per_layer_config", "use_cache",
    "peft_config", "quantization_config", "base_model_tp_plan", "tokenizer_class",
}  # fmt: skip


@strict
class LengthGenConfig(PreTrainedConfig):
    r"""
    A decoder whose position embedding and Scale Hint are part of the configuration.

    Args:
        vocab_size (`int`): number of token ids.
        hidden_size (`int`): width of the residual stream; a multiple of `num_attention_heads`.
        intermediate_size (`int`): width of the SwiGLU layer.
        num_hidden_layers (`int`), num_attention_heads (`int`): depth and heads.
        head_dim (`int`, *optional*): width of a head; `hidden_size // num_attention_heads` by default.
        max_position_embeddings (`int`): rows of tables indexed by position or id (`learned`, `abacus`, `coupling`), ids
            that there are (`randomized`, `random_float`), the original length of a scaled `rope`; no limit elsewhere.
        position_embedding (`str`): one of `list_position_embeddings()`.
        position_options (`dict`): options of that embedding; unknown ones are an error.
        scale_hint (`str`): `"none"`, `"input"` (the caller passes `scale_hint=`) or `"prompt"` (read from the prompt by
            `scale_rule`, or passed and checked against it).
        num_scale_hints (`int`): integers per example.
        scale_rule (`list`, *optional*): per hint `[start_token_id or None, end_token_id]`; n is the number of tokens
            strictly between their first occurrences.
        open_relations (`list`, *optional*): per layer and head the relations left open by `model.harden()`.
        initializer_range (`float`): standard deviation of linear layers; `hidden_size ** -0.5` where None.
        embedding_initializer_range (`float`): standard deviation of token embeddings.
        rms_norm_eps (`float`): added to the mean square in RMSNorm.
        attention_dropout (`float`): dropout on attention probabilities.
        attention_temperature (`str`): `"none"`, or `"log_length"`: the logits of the query at position i, position
            bias included, are multiplied by max(1, log(i + 1) / log(`temperature_length`)). Attention is then dense.
        temperature_length (`int`, *optional*): length up to which `"log_length"` changes nothing, that of training.
        logit_scale (`float`): multiplies all attention logits. Other than 1, attention is dense.
        position_package (`str`, *optional*): module that must be imported for a third party's embedding.

    Raises:
        ValueError: an unknown key (with the nearest match), or values that contradict each other.
    """

    model_type = "lengthgen"
    keys_to_ignore_at_inference = ["past_key_values"]

    vocab_size: int = 32
    hidden_size: int = 128
    intermediate_size: int = 384
    num_hidden_layers: int = 2
    num_attention_heads: int = 4
    head_dim: int | None = None
    max_position_embeddings: int = 2048
    position_embedding: str = "lbpe"
    position_options: dict[str, Any] | None = None
    scale_hint: str = "none"
    num_scale_hints: int = 1
    scale_rule: list[Any] | None = None
    open_relations: list[Any] | None = None
    position_package: str | None = None
    initializer_range: float | int | None = None
    embedding_initializer_range: float | int = 0.5
    rms_norm_eps: float | int = 1e-6
    attention_dropout: float | int = 0.0
    attention_temperature: str = "none"
    temperature_length: int | None = None
    logit_scale: float | int = 1.0
    use_cache: bool = True
    tie_word_embeddings: bool = False
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2
    unk_token_id: int | None = None

    def __post_init__(self, **kwargs):
        known = {f.name for f in fields(self)}
        for key in kwargs:
            if key not in known and key not in _INHERITED_KEYWORDS:
                raise ValueError(f"LengthGenConfig has no key {key!r}.{nearest(key, known)}")
        if self.head_dim is None:
            self.head_dim = self.hidden_size // max(self.num_attention_heads, 1)
        if self.initializer_range is None:
            self.initializer_range = max(self.hidden_size, 1) ** -0.5
        self.check()
        super().__post_init__(**kwargs)

    def check(self):
        """Run all checks, for a plain ValueError; `strict` runs them again when a config is saved."""
        self.validate_architecture()
        self.validate_temperature()
        self.validate_scale_hint()
        self.validate_position_embedding()

    def validate_architecture(self):
        """Sizes are positive and fit each other."""
        sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
        for name in (*sizes, "max_position_embeddings", "num_scale_hints", "head_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}."
            )

    def validate_temperature(self):
        """The temperature of attention is known, and has the length it needs."""
        if self.attention_temperature not in TEMPERATURES:
            raise ValueError(
                f"attention_temperature must be one of {', '.join(TEMPERATURES)}, not {self.attention_temperature!r}."
            )
        if self.attention_temperature == "none" and self.temperature_length is not None:
            raise ValueError("temperature_length is given, but attention_temperature is 'none'.")
        if self.attention_temperature == "log_length" and (self.temperature_length or 0) < 2:
            raise ValueError(
                f"attention_temperature='log_length' needs temperature_length >= 2, not {self.temperature_length}."
            )
        if not self.logit_scale > 0:
            raise ValueError(f"logit_scale must be positive, not {self.logit_scale}.")

    def validate_scale_hint(self):
        """Mode and rule of the Scale Hint agree."""
        if self.scale_hint not in SCALE_HINT_MODES:
            raise ValueError(f"scale_hint must be one of {', '.join(SCALE_HINT_MODES)}, not {self.scale_hint!r}.")
        check_rule(self)

    def validate_position_embedding(self):
        """The embedding exists, takes these options, and can use a Scale Hint where one is asked for."""
        from .position_registry import check_position

        check_position(self)


__all__ = ["LengthGenConfig"]
