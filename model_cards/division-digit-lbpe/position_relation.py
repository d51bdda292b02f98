"""The Ideal Position Embedding: the relations that a task needs, written down by hand."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init

from .position_base import Capabilities, PositionEmbedding
from .position_context import PositionContext
from .relation import LinearRelation
from .relation_table import RelationTable, distinct_rows


def parse_relations(texts, config) -> list[LinearRelation]:
    """Relations from their readable forms.

    Raises:
        ValueError: one cannot be read, or needs a Scale Hint or segment that the configuration does not have.
    """
    relations = []
    for text in texts:
        relation = LinearRelation.parse(text, hints=config.num_scale_hints)
        if relation.uses_scale and config.scale_hint == "none":
            raise ValueError(f"the relation {text!r} needs a Scale Hint, but scale_hint is 'none'.")
        if relation.segment is not None and relation.segment >= config.num_scale_hints:
            raise ValueError(f"the relation {text!r} names a segment beyond the {config.num_scale_hints} hints.")
        relations.append(relation)
    return relations


class IdealEmbedding(PositionEmbedding):
    """IPE (2510.04130): φ gives each position that the query must read its own role, and all other positions one
    single value. Here an additive bias b[h, role], learned; the first relation that holds names the role.

    Options:
        relations: readable relations such as 'i - j = n + 1'; a task's `ideal_relations` are of this form.
    """

    name = "ipe"
    per_layer = True
    takes_scale_hint = True

    @dataclass(frozen=True)
    class Options:
        relations: list[str] | tuple[str, ...] = ("i - j = 0", "i - j = 1")

        def validate(self, config) -> None:
            if not self.relations:
                raise ValueError("position option relations of 'ipe' must name at least one relation.")
            parse_relations(self.relations, config)

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        relations = parse_relations(self.options.relations, config)
        self.table = RelationTable(relations, config.num_scale_hints)
        self.weight = nn.Parameter(torch.empty(self.num_heads, len(relations) + 1))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(learned_parameters=True, extrapolates=True)

    @property
    def uses_segments(self) -> bool:
        return any(r.segment is not None for r in self.table.relations)

    def init_weights(self) -> None:
        init.zeros_(self.weight)

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H, T, S)."""
        reduced, undo = distinct_rows(ctx)
        holds = self.table.holds(reduced)
        others = torch.ones_like(holds[:, :1])
        role = torch.cat((holds, others), dim=1).int().argmax(dim=1)
        bias = self.weight.t()[role].permute(0, 3, 1, 2)
        return bias if undo is None else bias[undo]
