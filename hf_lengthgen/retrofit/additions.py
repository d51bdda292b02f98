"""What is added to the base's layers: relation adapters beside attention, or a bias on its scores."""

from __future__ import annotations

import torch
from torch import nn
from transformers import initialization as init

from ..model.modeling_lengthgen import LengthGenDecoderLayer
from ..model.position_base import PositionEmbedding
from ..model.position_context import PositionContext
from ..model.position_registry import get_position_embedding


class RelationAdapter(nn.Module):
    """Added heads beside one attention layer [our formulation].

    A narrow stream: what attention reads, normed and projected to `width`; one LengthGen decoder layer of that width,
    whose attention runs over the relations of the position embedding; and a projection back that starts at zero, so
    that the base is undisturbed until training moves it. With `carry` the stream of the adapter before is added.

    Args:
        config: a RetrofitConfig, whose `reads` and `writes` say which adapters do; index: of this one among them.
    """

    def __init__(self, config, index: int):
        super().__init__()
        relations = config.relation_config()
        reads = config.reads == "all" or index == 0
        writes = config.writes == "all" or index == len(config.layers) - 1
        self.norm = nn.RMSNorm(config.hidden_size, eps=1e-6) if reads else None
        self.down = nn.Linear(config.hidden_size, config.width, bias=False) if reads else None
        self.layer = LengthGenDecoderLayer(relations, index)
        self.position = get_position_embedding(config.position_embedding).resolve(relations).build(relations, index)
        self.out_norm = nn.RMSNorm(config.width, eps=1e-6) if writes else None
        self.up = nn.Linear(config.width, config.hidden_size, bias=False) if writes else None

    def forward(self, hidden, context: PositionContext, cache, carried=None):
        """(B, T, hidden) → what is added to attention's output (B, T, hidden) or None, and the stream (B, T, width)."""
        stream = carried if self.down is None else self.down(self.norm(hidden))
        if self.down is not None and carried is not None:
            stream = stream + carried
        stream = self.layer(stream, position=self.position, context=context, past_key_values=cache)
        return (None if self.up is None else self.up(self.out_norm(stream))), stream


class RelationBias(nn.Module):
    """A learned bias on the scores of one attention layer: Σ_{r holds at (i, j, n)} z_r · b_r with b = 0 at first, for
    the chosen heads [our formulation]. Softmax and rotary positions of the base stay as they are: a *soft* bias, which
    re-weights keys but never closes them.

    Args:
        config: a RetrofitConfig; index: of this layer among the chosen ones.
    """

    def __init__(self, config, index: int):
        super().__init__()
        relations = config.relation_config()
        self.position = get_position_embedding(config.position_embedding).resolve(relations).build(relations, index)
        self.position.log_weights = False
        heads = range(relations.num_attention_heads)
        self.chosen = [float(config.heads is None or head in config.heads) for head in heads]

    def forward(self, context: PositionContext, dtype) -> torch.Tensor:
        """(B|1, H, T, S)."""
        position = self.position
        mask = torch.tensor(self.chosen, device=position.weight.device)[:, None]
        if position.name == "ipe":
            return (position.bias(None, None, None, context) * mask[:, :, None]).to(dtype)
        weights = position.weight.float() * (1 if position.gate is None else position.gates()) * mask
        return position.dictionary.weigh(weights[:, :-1], context, weights[:, -1]).to(dtype)


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """Weights of a module of the additions, children before parents. Loaded ones are kept."""
    if isinstance(module, PositionEmbedding):
        module.init_weights()
    elif isinstance(module, nn.Linear):
        init.normal_(module.weight, std=module.in_features**-0.5)
    elif isinstance(module, nn.RMSNorm):
        init.ones_(module.weight)
    elif isinstance(module, RelationAdapter) and module.up is not None:
        init.zeros_(module.up.weight)
    elif isinstance(module, RelationBias) and module.position.name == "lbpe":
        init.zeros_(module.position.weight)
