"""LengthGen: a plain pre-norm decoder whose position embedding is a part to choose."""

from __future__ import annotations

import warnings

import torch
from torch import nn
from transformers import GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import DynamicCache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from .attention_lengthgen import LengthGenAttention
from .configuration_lengthgen import LengthGenConfig
from .position_base import PositionEmbedding
from .position_context import build_context, left_padding
from .position_registry import get_position_embedding
from .scale_hint import check_characters, has_delimiters, read_scale


class LengthGenMLP(nn.Module):
    """SwiGLU (2002.05202)."""

    def __init__(self, config: LengthGenConfig):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class LengthGenDecoderLayer(GradientCheckpointingLayer):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: LengthGenConfig, layer_idx: int):
        super().__init__()
        self.self_attn = LengthGenAttention(config, layer_idx)
        self.mlp = LengthGenMLP(config)
        self.input_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, hidden_states, position=None, context=None, past_key_values=None):
        attended, _ = self.self_attn(self.input_layernorm(hidden_states), position, context, past_key_values)
        hidden_states = hidden_states + attended
        return hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))


class LengthGenPreTrainedModel(PreTrainedModel):
    config: LengthGenConfig
    config_class = LengthGenConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["LengthGenModel"]  # layers read the weights of `positions`, wherever these lie
    _skip_keys_device_placement = ["past_key_values", "context"]
    _supports_sdpa = True
    _supports_flash_attn = False
    _supports_flex_attn = False
    _supports_attention_backend = False
    _can_compile_fullgraph = False
    _can_record_outputs = {"hidden_states": LengthGenDecoderLayer, "attentions": LengthGenAttention}

    @torch.no_grad()
    def _init_weights(self, module):
        if isinstance(module, PositionEmbedding):
            module.init_weights()
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, mean=0.0, std=self.config.embedding_initializer_range)
        else:
            super()._init_weights(module)

    def _initialize_weights(self, module, is_custom_code=False):
        # transformers takes a module of custom code that has no parameter outside of its children for initialised.
        super()._initialize_weights(module, is_custom_code and not isinstance(module, PositionEmbedding))

    def _check_and_adjust_attn_implementation(self, attn_implementation, *args, **kwargs):
        capabilities = get_position_embedding(self.config.position_embedding).build(self.config, 0).capabilities
        if not capabilities.sdpa:
            if attn_implementation == "sdpa":
                raise ValueError(
                    f"the position embedding {self.config.position_embedding!r} works on probabilities, which "
                    f"attn_implementation='sdpa' does not give; use 'eager'."
                )
            attn_implementation = attn_implementation or "eager"
        return super()._check_and_adjust_attn_implementation(attn_implementation, *args, **kwargs)

    def save_pretrained(self, save_directory, *args, **kwargs):
        """As `PreTrainedModel.save_pretrained`; warns where the position embedding's code does not travel along."""
        foreign = [m for m in self.position_modules() if type(m).__module__.rpartition(".")[0] != __package__]
        if foreign:  # the embedding itself, or one that it is built on
            name, module = foreign[0].name, type(foreign[0]).__module__
            self.config.position_package = module
            warnings.warn(
                f"the position embedding {name!r} is defined in {module!r}, which does not "
                f"travel with the model: whoever loads it must import that module first.",
                stacklevel=2,
            )
        if self._auto_class is not None:
            # transformers enters only the class being saved; whoever loads may want the other one.
            classes = {"AutoModel": LengthGenModel, "AutoModelForCausalLM": LengthGenForCausalLM}
            names = {auto: f"modeling_lengthgen.{cls.__name__}" for auto, cls in classes.items()}
            self.config.auto_map = {"AutoConfig": "configuration_lengthgen.LengthGenConfig", **names}
        return super().save_pretrained(save_directory, *args, **kwargs)

    # -- what training and reading ask of the position embedding ---------------------------------------------------

    def position_modules(self) -> list[PositionEmbedding]:
        """The instances in use, one per layer or one for all."""
        return [m for m in self.modules() if isinstance(m, PositionEmbedding)]

    def penalty(self) -> torch.Tensor:
        """Expected number of open gates: summed over relations and layers, averaged over heads; 0 without gates."""
        penalties = [p for m in self.position_modules() if (p := m.penalty()) is not None]
        return torch.stack(penalties).sum() if penalties else torch.zeros((), device=self.device)

    def set_gate_noise(self, seed: int | None, step: int = 0, rows: torch.Tensor | None = None) -> None:
        """Make the gates' noise a function of (seed, step, layer), and random positions in training one of (seed, step,
        example), until the next call.

        Args:
            seed: None gives both back to torch's global generator.
            rows: (B,) integers, the numbers that the examples of the coming forward passes have in the whole batch,
                of which a process, or a part in gradient accumulation, sees some. None: 0, 1, 2, ….
        """
        for module in self.position_modules():
            module.noise_key = None if seed is None else (seed, step)
            module.noise_rows = None if seed is None else rows

    def gate_parameters(self) -> list[nn.Parameter]:
        """The gates' parameters."""
        return [p for m in self.position_modules() for p in m.gate_parameters()]

    def open_gates(self) -> int | None:
        """Number of open relations over all layers and heads; None for an embedding without gates."""
        layers = [m.open_relations() for m in self.position_modules()]
        if any(heads is None for heads in layers):
            return None
        return sum(len(texts) for heads in layers for texts in heads)

    def relations(self) -> list[list[list[tuple[str, float]]]] | None:
        """Per layer and head, (readable relation, weight) of the open relations, the heaviest first; None for an
        embedding without gates."""
        layers = [m.relation_weights() for m in self.position_modules()]
        return None if any(heads is None for heads in layers) else layers

    def settle(self) -> None:
        """Decide every gate, in place, while training goes on: what remains of it trains the rounded model. Nothing
        happens for an embedding without gates."""
        for module in self.position_modules():
            module.settle()

    def harden(self, threshold: float = 0.5):
        """Round the gates in place and record the open relations in the config; attention is then sparse and exact
        at any length, except in layers where `other` stays open. Returns the model.

        Raises:
            ValueError: the embedding has no gates.
        """
        self.config.open_relations = [m.harden(threshold) for m in self.position_modules()]
        return self

    @property
    def sparse(self) -> bool:
        """True where every layer takes the O(L·K) path."""
        return all(m.is_sparse for m in self.position_modules())

    @property
    def square_tables(self) -> bool:
        """True where a step with a cache, too, makes tables of all keys by all keys."""
        return any(m.square_tables for m in self.position_modules())


class LengthGenModel(LengthGenPreTrainedModel):
    """The decoder without its head: token embeddings to last hidden states."""

    def __init__(self, config: LengthGenConfig):
        config.check()  # `from_pretrained` sets keywords on a configuration that was checked before
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList([LengthGenDecoderLayer(config, i) for i in range(config.num_hidden_layers)])
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        cls = get_position_embedding(config.position_embedding).resolve(config)
        indices = range(config.num_hidden_layers) if cls.per_layer else [None]
        self.positions = nn.ModuleList([cls.build(config, i) for i in indices])
        self.gradient_checkpointing = False
        self.post_init()

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values=None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        scale_hint: torch.LongTensor | None = None,
        scale_boundaries: torch.LongTensor | None = None,
        position_structure_ids: torch.LongTensor | None = None,
        cache=None,
        **kwargs,
    ) -> BaseModelOutputWithPast:
        """
        Args:
            input_ids: (B, T); or inputs_embeds: (B, T, hidden).
            attention_mask: (B, past + T) of 0 and 1, padding on the left (or, without a cache, on the right); or a
                4-D mask (B, 1|H, T, S), bool or additive.
            position_ids: (B, T) counting 0, 1, 2, … from the first real token; needed only to tell left padding
                where no 2-D mask is given.
            scale_hint: (B,) or (B, hints) integers >= 1.
            scale_boundaries: (B, hints, 2) logical positions of the delimiters, where the full input is not given.
            position_structure_ids: (B, past + T or more) the ids of embeddings such as `abacus`, one for each token
                from the first; needed where the full input is not given.
            cache: what transformers calls `past_key_values` from 5.24 on.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds; a mask with holes; positions that do not
                count from the first real token; unknown characters.
            ScaleHintError: see `resolve_scale`.
        """
        past_key_values = cache if past_key_values is None else past_key_values
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give exactly one of input_ids and inputs_embeds.")
        given = inputs_embeds if input_ids is None else input_ids
        if not given.is_meta and any(p.is_meta for p in self.positions.parameters()):
            raise ValueError("the position embedding's weights are offloaded, which is not supported: load it whole.")
        if inputs_embeds is None:
            # Without a cache, or with a filled one, the ids may be what the model itself wrote.
            is_prompt = use_cache is not False and (past_key_values is None or not past_key_values.get_seq_length())
            check_characters(input_ids, self.config, unknown=is_prompt)
            inputs_embeds = self.embed_tokens(input_ids)
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        asked = kwargs.get("output_attentions", getattr(self.config, "output_attentions", False))
        context = build_context(
            self.config,
            self.positions,
            input_ids,
            inputs_embeds,
            attention_mask,
            position_ids,
            past_key_values,
            scale_hint,
            scale_boundaries,
            position_structure_ids,
            probabilities=bool(asked) and self.config._attn_implementation == "eager",
        )
        hidden_states = inputs_embeds
        added = self.positions[0].embed(context)
        if added is not None:
            hidden_states = hidden_states + added.to(hidden_states.dtype)
        for index, layer in enumerate(self.layers):
            position = self.positions[index % len(self.positions)]
            hidden_states = layer(hidden_states, position=position, context=context, past_key_values=past_key_values)
        return BaseModelOutputWithPast(last_hidden_state=self.norm(hidden_states), past_key_values=past_key_values)

    @torch.no_grad()
    def check_positions(self, input_ids: torch.LongTensor, scale_hint: torch.LongTensor | None = None) -> None:
        """Number the tokens of full inputs (B, T) as `forward` does, without running a layer.

        Raises:
            ValueError: what `forward` raises, such as for an input that a table of positions is too short for.
        """
        hidden = self.embed_tokens(input_ids)
        context = build_context(
            self.config, self.positions, input_ids, hidden, None, None, None, scale_hint, None, None
        )
        self.positions[0].embed(context)


class LengthGenForCausalLM(LengthGenPreTrainedModel, GenerationMixin):
    """The decoder with a language-model head; trains, generates and travels as any transformers model."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: LengthGenConfig):
        super().__init__(config)
        self.model = LengthGenModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @can_return_tuple
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
        scale_boundaries: torch.LongTensor | None = None,
        position_structure_ids: torch.LongTensor | None = None,
        cache=None,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        """As `LengthGenModel.forward`, with logits (B, T, vocab) and, given labels (B, T; -100 = no loss), the mean
        cross-entropy of the next token. `penalty()` is not part of it: the training loop adds it."""
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache if past_key_values is None else past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            scale_hint=scale_hint,
            scale_boundaries=scale_boundaries,
            position_structure_ids=position_structure_ids,
            **kwargs,
        )
        hidden_states = outputs.last_hidden_state
        keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) and logits_to_keep else slice(None)
        keep = logits_to_keep if isinstance(logits_to_keep, torch.Tensor) else keep
        logits = self.lm_head(hidden_states[:, keep, :])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def create_masks_for_generate(self, config=None, inputs_embeds=None, attention_mask=None, **kwargs):
        """Keep the 2-D mask: positions and padding are read from it."""
        return attention_mask

    def prepare_inputs_for_generation(
        self, input_ids, attention_mask=None, inputs_embeds=None, is_first_iteration=False, **kwargs
    ):
        """Adds the Scale Hint, the delimiters and structured ids, read from the full input (stateless: beams and
        batches follow). Of an input that comes in pieces, or as embeddings, the caller has to give them."""
        config, position = self.config, self.model.positions[0]
        mask = attention_mask if attention_mask is not None and attention_mask.dim() == 2 else None
        length = seen = input_ids.shape[1]
        if mask is not None:
            seen = mask.shape[1]
        elif (positions := kwargs.get("position_ids")) is not None:  # generate drops a mask of ones
            seen = int(positions[..., -1].max()) + 1
        whole = length > 0 and inputs_embeds is None and seen == length
        reads_scale = whole and config.scale_rule is not None and config.scale_hint != "none"
        reads_structure = whole and position.capabilities.structured_ids
        if reads_scale or reads_structure:
            left_pad = left_padding(mask, None, 0, length, input_ids.device)
        if is_first_iteration and length > 0:
            check_characters(input_ids, config)
        # A given hint may come with the first piece of a prompt, whose delimiters are still to follow.
        if reads_scale and (kwargs.get("scale_hint") is None or has_delimiters(input_ids, config.scale_rule)):
            scale, boundaries = read_scale(input_ids, left_pad, config.scale_rule)
            if kwargs.get("scale_boundaries") is None:
                kwargs["scale_boundaries"] = boundaries
            if kwargs.get("scale_hint") is None and config.scale_hint == "prompt":
                kwargs["scale_hint"] = scale
        if reads_structure and kwargs.get("position_structure_ids") is None:
            positions = torch.arange(length, device=input_ids.device) - left_pad[:, None]
            ids = position.make_ids(input_ids, positions.clamp(min=-1))
            kwargs["position_structure_ids"] = ids.expand(len(input_ids), -1)
        return super().prepare_inputs_for_generation(
            input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            is_first_iteration=is_first_iteration,
            **kwargs,
        )


__all__ = ["LengthGenForCausalLM", "LengthGenModel", "LengthGenPreTrainedModel"]
