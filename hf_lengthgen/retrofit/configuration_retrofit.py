"""Configuration of a base model with additions.

No `from __future__ import annotations` here: `strict` checks types only where annotations are types.
"""

from dataclasses import fields
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ..model.configuration_lengthgen import _INHERITED_KEYWORDS, SCALE_HINT_MODES, LengthGenConfig
from ..model.position_base import nearest
from ..model.scale_hint import check_rule
from .families import family_of

MODES = ("adapter", "bias")
READS = ("all", "first")
WRITES = ("all", "last")
OWN_POSITIONS = ("keep", "drop")
# Embeddings that act inside attention alone and need nothing but positions and the Scale Hint.
ADAPTER_EMBEDDINGS = ("lbpe", "ipe", "none", "rope", "alibi", "t5", "kerple", "fire")
# Those whose addition to the scores of a pretrained layer can start at exactly nothing.
BIAS_EMBEDDINGS = ("lbpe", "ipe")


@strict
class RetrofitConfig(PreTrainedConfig):
    r"""
    A pretrained decoder (the base) and what is added to it.

    Args:
        base_config (`dict` or `PreTrainedConfig`): configuration of the base, of a supported family.
        base_name (`str`, *optional*), base_revision (`str`, *optional*): where the base's weights can be had.
        base_digest (`str`, *optional*): of the base's architecture; `base_weights` of some of its weights.
        mode (`str`): `"adapter"`: added heads beside attention; `"bias"`: a bias on the base's own scores.
        position_embedding (`str`), position_options (`dict`): as in `LengthGenConfig`, for the additions.
        scale_hint (`str`): `"none"`; `"input"`: the caller passes `scale_hint=`; `"prompt"`: passed, or read from the
            prompt by `scale_rule`. Without a hint the additions of a model that takes one are silent.
        num_scale_hints (`int`), scale_rule (`list`, *optional*): per hint `[start_token_id or None, end_token_id]`;
            n is the number of tokens strictly between their first occurrences, None being the place in front of the
            first token.
        layers (`list[int]`): layers of the base that get an addition, ascending.
        heads (`int` or `list[int]`): adapter: the number of added heads; bias: which heads of the base, None for all.
        own_positions (`str`): bias: `"drop"` switches the rotary positions of these heads off wherever the additions
            are not silent; `"keep"` leaves them.
        width (`int`), intermediate_size (`int`): adapter: width of its stream and of its feed-forward part.
        carry (`bool`): adapter: each adapter starts from what the one before it computed.
        reads (`str`): adapter: `"all"` adapters read the base, or the `"first"` alone and the others what it carries:
            states of later layers, which differ at lengths that the base does not know, then have no say.
        writes (`str`): adapter: `"all"` adapters add to the base, or the `"last"` alone; then the frozen base needs
            no backward pass below the last layer that has one.
        open_relations (`list`, *optional*): per adapted layer and head, recorded by `harden()`.
        additions_digest (`str`, *optional*): of the additions' weights as saved, for `lengthgen verify`.
        additions_only (`bool`): the folder of this configuration holds the additions without the base.

    Raises:
        ValueError: an unknown key (with the nearest match), an unsupported family, contradicting values.
    """

    model_type = "lengthgen_retrofit"
    sub_configs = {"base_config": AutoConfig}
    keys_to_ignore_at_inference = ["past_key_values"]

    base_config: Any = None
    base_name: str | None = None
    base_revision: str | None = None
    base_digest: str | None = None
    base_weights: str | None = None
    mode: str = "adapter"
    position_embedding: str = "lbpe"
    position_options: dict[str, Any] | None = None
    scale_hint: str = "input"
    num_scale_hints: int = 1
    scale_rule: list[Any] | None = None
    layers: list[int] | None = None
    heads: int | list[int] | None = None
    own_positions: str = "keep"
    width: int = 64
    intermediate_size: int = 192
    carry: bool = True
    reads: str = "all"
    writes: str = "all"
    open_relations: list[Any] | None = None
    additions_digest: str | None = None
    additions_only: bool = False
    # The base's, for whoever reads them of this configuration.
    vocab_size: int | None = None
    hidden_size: int | None = None
    num_hidden_layers: int | None = None
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs):
        known = {f.name for f in fields(self)}
        for key in kwargs:
            if key not in known and key not in _INHERITED_KEYWORDS:
                raise ValueError(f"RetrofitConfig has no key {key!r}.{nearest(key, known)}")
        if isinstance(self.base_config, dict):
            given = dict(self.base_config)
            family_of(given.get("model_type"))
            self.base_config = CONFIG_MAPPING[given.pop("model_type")](**given)
        # transformers builds a default of every config class to find differences from it: that one has no base.
        if self.base_config is not None:
            family_of(self.base_config.model_type)
            for key in ("vocab_size", "hidden_size", "num_hidden_layers"):
                setattr(self, key, getattr(self.base_config, key))
            for key in ("pad_token_id", "bos_token_id", "eos_token_id"):
                setattr(self, key, getattr(self.base_config, key, None))
            self.tie_word_embeddings = bool(getattr(self.base_config, "tie_word_embeddings", False))
            if self.layers is None:
                self.layers = [0, self.num_hidden_layers - 1] if self.num_hidden_layers > 1 else [0]
            self.check()
        super().__post_init__(**kwargs)

    def get_text_config(self, decoder=None, encoder=None):
        """The base's: caches are laid out after it."""
        return self if self.base_config is None else self.base_config.get_text_config(decoder, encoder)

    def check(self) -> None:
        """Raise ValueError where the values do not fit each other or the base."""
        choices = {"mode": MODES, "reads": READS, "writes": WRITES, "own_positions": OWN_POSITIONS}
        for name, allowed in (choices | {"scale_hint": SCALE_HINT_MODES}).items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}.")
        allowed = ADAPTER_EMBEDDINGS if self.mode == "adapter" else BIAS_EMBEDDINGS
        if self.position_embedding not in allowed:
            raise ValueError(
                f"position_embedding of mode={self.mode!r} must be one of {', '.join(allowed)}, not "
                f"{self.position_embedding!r}.{nearest(self.position_embedding, allowed)}"
            )
        if self.reads == "first" and not self.carry:
            raise ValueError("reads='first' needs carry=True: the later adapters would have nothing to read.")
        layers = self.layers
        if not layers or layers != sorted(set(layers)) or layers[0] < 0 or layers[-1] >= self.num_hidden_layers:
            raise ValueError(
                f"layers must be ascending, without repeats, from 0 to {self.num_hidden_layers - 1}, not {layers}."
            )
        if self.mode == "adapter":
            if isinstance(self.heads, list):
                raise ValueError(f"heads of mode='adapter' is a number of added heads, not {self.heads}.")
        else:
            total = self.base_config.num_attention_heads
            if isinstance(self.heads, int):
                raise ValueError(
                    f"heads of mode='bias' is a list of the base's heads 0 to {total - 1}, or None for all."
                )
            if self.heads is not None and not (self.heads and all(0 <= h < total for h in self.heads)):
                raise ValueError(f"heads of mode='bias' must name heads from 0 to {total - 1}, not {self.heads}.")
        if self.own_positions == "drop":
            if self.mode != "bias":
                raise ValueError("own_positions='drop' needs mode='bias', whose heads are the base's own.")
            from .relation_heads import check_rotary

            check_rotary(self.base_config)
        check_rule(self)
        self.relation_config()
        kind = (self.position_options or {}).get("parametrisation", "linear")
        if self.mode == "bias" and kind != "linear":
            raise ValueError(f"mode='bias' needs parametrisation='linear', not {kind!r}: it adds up single relations.")

    def relation_config(self) -> LengthGenConfig:
        """What the additions are built from. Which hint is theirs is settled before they are asked."""
        adapter = self.mode == "adapter"
        heads = (4 if self.heads is None else self.heads) if adapter else self.base_config.num_attention_heads
        return LengthGenConfig(
            vocab_size=self.vocab_size,
            hidden_size=self.width if adapter else heads,
            intermediate_size=self.intermediate_size,
            num_hidden_layers=len(self.layers),
            num_attention_heads=heads,
            max_position_embeddings=max(getattr(self.base_config, "max_position_embeddings", 1) or 1, 1),
            position_embedding=self.position_embedding,
            position_options=self.position_options,
            scale_hint="none" if self.scale_hint == "none" else "input",
            num_scale_hints=self.num_scale_hints,
            open_relations=self.open_relations,
            pad_token_id=None,
            bos_token_id=None,
            eos_token_id=None,
            attn_implementation="sdpa",
        )
