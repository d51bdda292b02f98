"""The one attention layer. What depends on positions is asked of the position embedding."""

from __future__ import annotations

import math

import torch
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .position_base import PositionEmbedding
from .position_context import PositionContext


def eager_attention_forward(
    module,
    query,
    key,
    value,
    attention_mask,
    scaling,
    dropout=0.0,
    position_bias=None,
    reweight=None,
    value_term=None,
    sink=False,
    **kwargs,
):
    """Attention written out, with the hooks after the softmax.

    Args:
        query: (B, H, T, D); key, value: (B, H, S, D).
        attention_mask: bool, True = may attend, broadcastable to (B, H, T, S).
        position_bias: broadcastable to (B, H, T, S), added to the scaled scores, or None.
        reweight: function of the probabilities (B, H, T, S), or None.
        value_term: function of the probabilities to a summand (B, H, T, D) of the output or None; or None.
        sink: the last key is a sink, of value zero: it takes its share and is not told.

    Returns:
        (B, T, H, D) and the probabilities.
    """
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if position_bias is not None:
        scores = scores + position_bias
    scores = scores.masked_fill(~attention_mask, float("-inf"))
    probs = scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    if sink:
        probs, value = probs[..., :-1], value[..., :-1, :]
    if reweight is not None:
        probs = reweight(probs)
    dropped = nn.functional.dropout(probs, p=dropout, training=module.training)
    output = torch.matmul(dropped, value)
    if value_term is not None and (term := value_term(dropped)) is not None:
        output = output + term
    return output.transpose(1, 2).contiguous(), probs


def add_sink(key, value, bias, visible, logit: float):
    """Append one key of zeros with value zero, visible to all, whose logit is `logit`.

    Args:
        key, value: (B, H, S, D); bias: (B|1, H|1, T, S); visible: (B|1, 1|H, T, S).

    Returns:
        The four with S + 1 in place of S.
    """
    pad = (0, 0, 0, 1)
    key, value = nn.functional.pad(key, pad), nn.functional.pad(value, pad)
    bias = nn.functional.pad(bias, (0, 1), value=logit)
    visible = nn.functional.pad(visible, (0, 1), value=True)
    return key, value, bias, visible


def logit_factor(config, context: PositionContext) -> torch.Tensor | None:
    """What all logits of a query (scores, bias and sink) are multiplied by before the softmax: `logit_scale` times,
    with attention_temperature='log_length', max(1, log(i + 1) / log(temperature_length)) for the query at position i,
    which sees i + 1 keys (2202.12172; Scalable-Softmax, 2501.19399).

    Returns:
        (B|1, 1, T, 1) float32, or None where that is one for every query.
    """
    if config.attention_temperature == "none":
        if config.logit_scale == 1:
            return None
        return torch.full((1, 1, 1, 1), float(config.logit_scale), device=context.q_pos.device)
    seen = torch.log1p(context.q_pos.clamp(min=0).float()) / math.log(config.temperature_length)
    return config.logit_scale * seen.clamp(min=1.0)[:, None, :, None]


class LengthGenAttention(nn.Module):
    """Multi-head causal self-attention without projections' biases."""

    is_causal = True

    def __init__(self, config, layer_idx: int):
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.num_heads = config.num_attention_heads
        self.head_dim = config.head_dim
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = config.attention_dropout
        inner = self.num_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, inner, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, inner, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, inner, bias=False)
        self.o_proj = nn.Linear(inner, config.hidden_size, bias=False)

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(*x.shape[:-1], self.num_heads, self.head_dim).transpose(1, 2)

    def forward(
        self,
        hidden_states: torch.Tensor,
        position: PositionEmbedding,
        context: PositionContext,
        past_key_values=None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """(B, T, hidden) → (B, T, hidden), and the probabilities where the implementation gives them."""
        query = position.rotate_query(self._heads(self.q_proj(hidden_states)), context)
        key = position.rotate_key(self._heads(self.k_proj(hidden_states)), context.q_ids, context)
        value = self._heads(self.v_proj(hidden_states))
        state = position.key_state(hidden_states, context)

        if past_key_values is not None:
            if state is not None:
                key = torch.cat((key, state.to(key.dtype)), dim=-1)
            key, value = past_key_values.update(key, value, self.layer_idx)
            if state is not None:
                key, state = key.split((self.head_dim, key.shape[-1] - self.head_dim), dim=-1)

        probs = None
        factor = logit_factor(self.config, context)
        # A path of the embedding's own knows no temperature and gives no probabilities.
        dense = factor is not None or context.probabilities
        output = None if dense else position.attend(query, key, value, self.scaling, context)
        if output is None:
            output, probs = self._dense(query, key, value, state, position, context, factor)
        else:
            output = output.transpose(1, 2)
        output = output.reshape(*hidden_states.shape[:-1], -1)
        return self.o_proj(output), probs

    def _dense(self, query, key, value, state, position, context, factor=None):
        bias = position.bias(query, key, state, context)
        implementation = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        is_eager = implementation is eager_attention_forward
        # A causal kernel needs no mask tensor; every other case says who sees whom.
        unmasked = context.plain_causal and position.sink_logit is None and not is_eager
        visible = None if unmasked else context.visible
        if position.sink_logit is not None:
            key, value, bias, visible = add_sink(key, value, bias, visible, position.sink_logit)
        if factor is not None:
            query = (query * factor).to(query.dtype)
            bias = None if bias is None else (bias * factor).to(query.dtype)
        extra = {}
        if is_eager:
            extra["reweight"] = lambda probs: position.reweight(probs, context)
            extra["value_term"] = lambda probs: position.value_term(probs, context)
            extra["sink"] = position.sink_logit is not None
        return implementation(
            self,
            query,
            key,
            value,
            visible,
            scaling=self.scaling,
            dropout=self.attention_dropout if self.training else 0.0,
            position_bias=bias,
            **extra,
        )
