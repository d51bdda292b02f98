"""A pretrained decoder with additions, as a model of transformers."""

from __future__ import annotations

import torch
from torch import nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.cache_utils import DynamicCache

from ..model.modeling_lengthgen import LengthGenPreTrainedModel
from ..model.position_context import left_padding
from ..model.scale_hint import ScaleHintError
from . import relation_heads, saving
from .additions import RelationAdapter, RelationBias, initialise
from .configuration_retrofit import RetrofitConfig
from .digest import digest_of_tensors
from .families import check_base
from .fitting import architecture_digest, weights_digest
from .hints import Hints, given_hints, read_hints, resolve_hints
from .passing import KEYWORD, adapter_pass, attach_hooks

_REMEMBERED = "retrofit_hints"  # attribute of a cache: the hints that its sequences began with, or None


class RetrofitForCausalLM(PreTrainedModel, GenerationMixin):
    """The base (`.base`, its own names and weights) and what is added to it (`.additions`).

    Where no Scale Hint is given to a model that takes one, the base runs alone and untouched.

    Args:
        config: a RetrofitConfig.
        base: the causal LM itself, which is used, not copied; None builds one anew.

    Raises:
        ValueError: a configuration without a base, or a base of an unsupported family.
    """

    config: RetrofitConfig
    config_class = RetrofitConfig
    base_model_prefix = "base"
    supports_gradient_checkpointing = True
    _keep_in_fp32_modules_strict = ["additions"]  # whatever the base is read in
    _skip_keys_device_placement = ["past_key_values", KEYWORD]
    _supports_sdpa = True
    _supports_flash_attn = False
    _supports_flex_attn = False
    _supports_attention_backend = False
    _can_compile_fullgraph = False

    def __init__(self, config: RetrofitConfig, base=None):
        if config.base_config is None:
            raise ValueError("RetrofitForCausalLM needs a configuration with a base_config.")
        super().__init__(config)
        self.base = AutoModelForCausalLM.from_config(config.base_config) if base is None else base
        check_base(self.base)
        kind = RelationAdapter if config.mode == "adapter" else RelationBias
        self.additions = nn.ModuleList([kind(config, index) for index in range(len(config.layers))])
        self.relation_config = config.relation_config()
        attach_hooks(self.base, config.layers)
        if config.own_positions == "drop":
            self.base.set_attn_implementation(relation_heads.NAME)
        if base is not None:
            for module in base.modules():
                module._is_hf_initialized = True  # or post_init would draw its weights anew
        self.post_init()

    def _init_weights(self, module):
        # Reached for the additions alone: transformers has every sub-model initialise itself.
        initialise(module)

    def _initialize_weights(self, module, is_custom_code=False):
        # transformers takes a module of custom code that has no parameter outside of its children for initialised.
        super()._initialize_weights(module, False)

    def get_input_embeddings(self):
        return self.base.get_input_embeddings()

    def set_input_embeddings(self, value):
        self.base.set_input_embeddings(value)

    def get_output_embeddings(self):
        return self.base.get_output_embeddings()

    def set_output_embeddings(self, value):
        self.base.set_output_embeddings(value)

    def resize_token_embeddings(self, *args, **kwargs):
        """The base's. Additions that are saved afterwards fit a base of the new size alone."""
        embeddings = self.base.resize_token_embeddings(*args, **kwargs)
        self._follow_base()
        return embeddings

    def _follow_base(self):
        """Describe the base as it is, where its embeddings have been resized."""
        config, size = self.config, self.base.config.vocab_size
        if config.vocab_size != size:
            config.vocab_size = config.base_config.vocab_size = size
            config.base_digest, config.base_weights = architecture_digest(self.base.config), weights_digest(self.base)

    # Gates are read and rounded as in a LengthGen model.
    position_modules = LengthGenPreTrainedModel.position_modules
    penalty = LengthGenPreTrainedModel.penalty
    set_gate_noise = LengthGenPreTrainedModel.set_gate_noise
    gate_parameters = LengthGenPreTrainedModel.gate_parameters
    open_gates = LengthGenPreTrainedModel.open_gates
    relations = LengthGenPreTrainedModel.relations
    settle = LengthGenPreTrainedModel.settle

    def harden(self, threshold: float = 0.5):
        """Round the gates in place and record the open relations in the config. Returns the model.

        Raises:
            ValueError: mode 'bias', whose soft bias is not made of closed and open keys; or no gates.
        """
        if self.config.mode == "bias":
            raise ValueError("harden needs mode='adapter': the bias of mode='bias' re-weights keys and closes none.")
        return LengthGenPreTrainedModel.harden(self, threshold)

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs=None, **kwargs):
        """As of every model of transformers.

        Raises:
            ValueError: use_reentrant=True, which loses the gradients of what one addition hands on to the next.
        """
        if (gradient_checkpointing_kwargs or {}).get("use_reentrant"):
            raise ValueError("a retrofitted model needs gradient checkpointing with use_reentrant=False.")
        super().gradient_checkpointing_enable(gradient_checkpointing_kwargs, **kwargs)

    def generate(self, inputs=None, **kwargs):
        """As of every model of transformers; of a prompt that goes in by chunks the hint is read beforehand, since no
        chunk may show all of it."""
        ids = kwargs.get("input_ids") if inputs is None else inputs
        settings = kwargs.get("generation_config") or self.generation_config
        chunks = kwargs.get("prefill_chunk_size", getattr(settings, "prefill_chunk_size", None))
        if chunks and ids is not None and self.config.scale_hint == "prompt" and kwargs.get("scale_hint") is None:
            mask, pad = kwargs.get("attention_mask"), kwargs.get("pad_token_id", settings.pad_token_id)
            real = mask if mask is not None else ids != (-1 if pad is None else pad)
            hints = read_hints(ids, (real != 0).int().argmax(-1), self.config.scale_rule)
            kwargs["scale_hint"] = torch.where(hints.active[:, None], hints.scale, 0)
        return super().generate(inputs, **kwargs)

    def freeze_base(self):
        """Only the additions train. Returns the model."""
        self.base.requires_grad_(False)
        return self

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values=None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        scale_hint: torch.LongTensor | None = None,
        cache=None,
        **kwargs,
    ):
        """As the base's forward, with a Scale Hint.

        Args:
            input_ids: (B, T); or inputs_embeds: (B, T, hidden).
            scale_hint: (B,) or (B, hints) integers; 0 for an example that has none. With a cache the hint of its
                first pass stays.
            cache: what transformers calls `past_key_values` from 5.24 on.

        Raises:
            ScaleHintError: a malformed hint, one that contradicts the prompt or the cache.
            ValueError: with a hint, a mask with holes, or a cache other than a DynamicCache.
        """
        past_key_values = cache if past_key_values is None else past_key_values
        like = input_ids if input_ids is not None else inputs_embeds
        if like is None:
            raise ValueError("give exactly one of input_ids and inputs_embeds.")
        use_cache = self.base.config.use_cache if use_cache is None else use_cache
        if self.training and any(getattr(m, "gradient_checkpointing", False) for m in self.base.modules()):
            use_cache, past_key_values = False, None
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.base.config)
        hints = self._hints(input_ids, like, attention_mask, position_ids, past_key_values, scale_hint)
        if hints is not None:
            attention = self.base.config._attn_implementation
            # Heads that drop their own positions do so in an attention of their own, which is sdpa otherwise.
            fit = [relation_heads.NAME] if self.config.own_positions == "drop" else ["sdpa", relation_heads.NAME]
            if self.config.mode == "bias" and attention not in fit:
                raise ValueError(f"mode='bias' needs attn_implementation={fit[0]!r} of the base, not {attention!r}.")
            kwargs[KEYWORD] = adapter_pass(self, hints, like, attention_mask, position_ids, past_key_values)
        return self.base(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            labels=labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )

    def _hints(self, input_ids, like, mask, position_ids, cache, scale_hint) -> Hints | None:
        """The hints of this pass; those of its first pass where the cache has been begun."""
        batch, queries = like.shape[:2]
        if cache is not None and cache.get_seq_length():
            hints = getattr(cache, _REMEMBERED, None)
            if scale_hint is not None:
                self._check_remembered(hints, given_hints(scale_hint, batch, self.config.num_scale_hints, like.device))
            return hints
        flat = mask if mask is not None and mask.dim() == 2 else None
        # A mask with holes is the base's affair as long as the additions are silent.
        pad = torch.zeros(1, dtype=torch.long, device=like.device)
        if self.config.scale_rule is not None and flat is not None:
            pad = (flat != 0).int().argmax(-1)
        elif self.config.scale_rule is not None and position_ids is not None:
            pad = left_padding(None, position_ids, 0, queries, like.device)
        hints = resolve_hints(self.config, input_ids, pad, batch, like.device, scale_hint)
        if cache is not None:
            setattr(cache, _REMEMBERED, hints)
        return hints

    @staticmethod
    def _check_remembered(hints: Hints | None, given: Hints) -> None:
        """Raise ScaleHintError where a later pass is given another hint than the cache was begun with."""
        if hints is None and bool(given.active.any()):
            raise ScaleHintError("scale_hint is given, but this cache was begun without one.")
        if hints is not None and hints.scale is not None and bool((given.scale != hints.scale)[given.active].any()):
            raise ScaleHintError(
                f"scale_hint {given.scale.tolist()} contradicts the one this cache was begun with, "
                f"{hints.scale.tolist()}."
            )

    # -- saving and loading ----------------------------------------------------------------------------------------

    def save_pretrained(self, save_directory, additions_only: bool = False, **kwargs):
        """Write the whole model, or with `additions_only` the additions and where the base can be had.

        Raises:
            ValueError: `additions_only` and an unknown keyword.
        """
        self._follow_base()
        if additions_only:
            return saving.save_additions(self, save_directory, **kwargs)
        given = kwargs.get("state_dict")  # another one than the model's own
        self.config.additions_digest = None if given else digest_of_tensors(self.additions.state_dict())
        return super().save_pretrained(save_directory, **kwargs)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, base=None, **kwargs):
        """Read either kind of folder or repository.

        Args:
            base: for additions, the model to put them on; None loads the one they were made on.
            **kwargs: for additions without `base`, all but the place of the additions is for the base.

        Raises:
            ValueError: additions that do not fit the base, keywords for a base that is given, or `base` given with a
                whole model.
        """
        found = saving.find_additions(pretrained_model_name_or_path, kwargs)
        if found is not None:
            return saving.load_additions(cls, found, base, kwargs)
        if base is not None:
            raise ValueError(f"{pretrained_model_name_or_path!r} is a whole model with its own base: give no base.")
        return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)


__all__ = ["RetrofitForCausalLM"]
