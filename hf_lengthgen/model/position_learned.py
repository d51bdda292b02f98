"""Learning-based position embedding (LBPE): the position relation function is learned.

The idea of a learned PRF is from 2510.04130; the sparse linear relations, gates and hardening are our own
formulation. Three parametrisations of one interface: `linear` (here), `mlp` and `table` (position_prf.py).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import nn
from transformers import initialization as init

from .hard_concrete import SETTLED, mean_gate, open_probability, sample_gate
from .position_base import Capabilities, PositionEmbedding, nearest, read_options
from .position_context import PositionContext
from .position_relation import parse_relations
from .relation import LinearRelation
from .relation_attention import relation_attention
from .relation_table import RelationTable

PARAMETRISATIONS = ("linear", "mlp", "table")
OTHER = "other"


def default_forms(hints: int, has_scale: bool, largest: int) -> list[tuple[int, int, tuple[int, ...]]]:
    """The forms (a, b, c) tried where none are given.

    Pairs (a, b) = (1, -1), (0, 1) with every c in {0, -1, …, -largest} (several hints: {0, -1} each), and (1, 1)
    with every c but 0.
    """
    if not has_scale:
        return [(1, -1, (0,) * hints), (0, 1, (0,) * hints)]
    values = range(0, -largest - 1, -1) if hints == 1 else (0, -1)
    scales = list(itertools.product(values, repeat=hints))
    return [(a, b, c) for a, b in ((1, -1), (0, 1), (1, 1)) for c in scales if (a, b) != (1, 1) or any(c)]


@dataclass(frozen=True)
class LearnedOptions:
    """Options of `lbpe`.

    Attributes:
        parametrisation: 'linear' (sparse linear relations), 'mlp' (a network on (i, j, n)) or 'table' (clipped i - j).
        forms: [[a, b, c], …] or [[a, b, [c0, c1, …]], …]; None for `default_forms`.
        window: offsets |d| <= window belong to each form.
        largest_scale: the default forms go from c = 0 to -largest_scale.
        segments: indices of the hints whose tokens get segment relations.
        other_penalty: weight of the `other` relation in the penalty.
        slots: relation values of the 'mlp' parametrisation.
        scale_shifts: head groups of the 'table' parametrisation.
        table_window: the 'table' parametrisation clips i - j to ± this.
    """

    parametrisation: str = "linear"
    forms: list | tuple | None = None
    window: int = 2
    largest_scale: int = 3
    segments: list[int] | tuple[int, ...] = ()
    other_penalty: float = 4.0
    slots: int = 16
    scale_shifts: int = 4
    table_window: int = 64

    def validate(self, config) -> None:
        if self.parametrisation not in PARAMETRISATIONS:
            raise ValueError(
                f"position option parametrisation of 'lbpe' must be one of {', '.join(PARAMETRISATIONS)}, not "
                f"{self.parametrisation!r}.{nearest(self.parametrisation, PARAMETRISATIONS)}"
            )
        for name, least in (
            ("window", 0),
            ("largest_scale", 0),
            ("slots", 1),
            ("scale_shifts", 1),
            ("table_window", 1),
        ):
            if getattr(self, name) < least:
                raise ValueError(
                    f"position option {name} of 'lbpe' must be at least {least}, not {getattr(self, name)}."
                )
        relation_forms(self, config)
        for segment in self.segments:
            if config.scale_hint == "none" or not 0 <= segment < config.num_scale_hints:
                raise ValueError(
                    f"position option segments of 'lbpe' names segment {segment}, but the model has "
                    f"{0 if config.scale_hint == 'none' else config.num_scale_hints} Scale Hints."
                )
        if self.segments and self.parametrisation != "linear":
            raise ValueError("position option segments of 'lbpe' needs parametrisation='linear'.")


def relation_forms(options: LearnedOptions, config) -> list[tuple[int, int, tuple[int, ...]]]:
    """The forms (a, b, c) of the options, checked.

    Raises:
        ValueError: a form that is not [a, b, c], has b = 0, or a c that does not fit the Scale Hints.
    """
    hints, has_scale = config.num_scale_hints, config.scale_hint != "none"
    if options.forms is None:
        return default_forms(hints, has_scale, options.largest_scale)
    forms = []
    for form in options.forms:
        try:
            a, b, c = form
            c = (c,) * 1 if isinstance(c, int) else tuple(c)
            if not all(isinstance(x, int) for x in (a, b, *c)):
                raise TypeError
        except (TypeError, ValueError):
            raise ValueError(f"position option forms of 'lbpe': {form!r} is not [a, b, c] with integers.") from None
        if len(c) != hints:
            if any(c):
                raise ValueError(f"position option forms of 'lbpe': {form!r} needs one c for each of {hints} hints.")
            c = (0,) * hints
        if b == 0:
            raise ValueError(f"position option forms of 'lbpe': b must not be 0 in {form!r}.")
        if any(c) and not has_scale:
            raise ValueError(f"position option forms of 'lbpe': {form!r} uses the scale, but scale_hint is 'none'.")
        forms.append((a, b, c))
    if not forms:
        raise ValueError("position option forms of 'lbpe' must not be empty.")
    return forms


def relation_dictionary(options: LearnedOptions, config) -> list[LinearRelation]:
    """Every form and segment with every offset of the window, without repeats and without those that name a key
    in the future or before the beginning whatever the scale."""
    offsets = range(-options.window, options.window + 1)
    found = [LinearRelation(a, b, c, d).normalized() for a, b, c in relation_forms(options, config) for d in offsets]
    zero = (0,) * config.num_scale_hints
    found += [LinearRelation(1, -1, zero, d, segment) for segment in options.segments for d in offsets]
    return [r for r in dict.fromkeys(found) if not r.never_holds]


class LearnedRelationEmbedding(PositionEmbedding):
    """LBPE: attention over sparse learned linear relations [our formulation of the learned PRF of 2510.04130].

        weight(i, j) ∝ exp(q_i·k_j / sqrt(d_head)) · Σ_{r holds at (i, j, n)} z_r · exp(b_r)

    with a sink of weight 1e-4 and value 0, so that a query with no open relation reads nothing. Every head has a
    weight b_r and a hard-concrete gate z_r (1712.01312) for each relation of the dictionary and for `other`, which
    holds where no relation does. `penalty` is the expected number of open gates. After `harden` the open relations
    stand in `config.open_relations`, attention runs over them alone, and nothing is left to dilute at any length.
    """

    name = "lbpe"
    per_layer = True
    takes_scale_hint = True
    has_gates = True
    log_weights = True  # b stands for exp(b); in a bias on scores, as retrofit has one, for itself
    Options = LearnedOptions

    @classmethod
    def resolve(cls, config) -> type[PositionEmbedding]:
        from .position_prf import PRF_CLASSES

        return PRF_CLASSES.get(read_options(cls, config).parametrisation, cls)

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__(config, layer_idx)
        self.sink_logit = math.log(1e-4)
        self.dictionary = RelationTable(relation_dictionary(self.options, config), config.num_scale_hints)
        self.noise_key: tuple[int, int] | None = None
        self.open_texts: list[list[str]] = []
        self._config = config
        recorded = config.open_relations
        if recorded is None:
            self._build_gates()
        else:
            self._build_hard(recorded[layer_idx])

    # -- two states: gated while it learns, hard afterwards --------------------------------------------------------

    def _build_gates(self) -> None:
        count = len(self.dictionary) + 1
        self.hard = None
        self.weight = nn.Parameter(torch.empty(self.num_heads, count))
        self.gate = nn.Parameter(torch.empty(self.num_heads, count))

    def _build_hard(self, heads: list[list[str]]) -> None:
        if len(heads) != self.num_heads:
            raise ValueError(f"config.open_relations has {len(heads)} heads in a layer, the model {self.num_heads}.")
        self.open_texts = [list(texts) for texts in heads]
        parsed = [parse_relations([t for t in texts if t != OTHER], self._config) for texts in heads]
        slots = max(1, *(len(texts) for texts in heads))
        union = list(dict.fromkeys(r for relations in parsed for r in relations))
        if self.has_other:
            # `other` holds where no relation of the whole dictionary does, open or not.
            union = list(dict.fromkeys([*self.dictionary.relations, *union]))
        self.hard = RelationTable(union, self._config.num_scale_hints)
        self.members = [[union.index(r) for r in relations] for relations in parsed]
        self.weight = nn.Parameter(torch.empty(self.num_heads, slots))
        self.register_parameter("gate", None)

    @property
    def has_other(self) -> bool:
        """`other` is open in a head, which keeps the layer on the dense path."""
        return any(OTHER in texts for texts in self.open_texts)

    @property
    def is_sparse(self) -> bool:
        return self.hard is not None and not self.has_other and not self._tempered

    @property
    def _tempered(self) -> bool:
        """Logits have a factor, which the dense form alone applies."""
        return self._config.attention_temperature != "none" or self._config.logit_scale != 1

    @property
    def uses_segments(self) -> bool:
        table = self.dictionary if self.hard is None else self.hard
        return any(r.segment is not None for r in table.relations)

    @property
    def capabilities(self) -> Capabilities:
        # The dense form finds its relations in loops over the length, and segments are read off the prompt.
        export = self.is_sparse and not self.uses_segments
        return Capabilities(learned_parameters=True, extrapolates=True, export=export)

    def init_weights(self) -> None:
        init.zeros_(self.weight)
        if self.gate is not None:
            init.normal_(self.gate, mean=1.0, std=0.1)

    # -- gates -----------------------------------------------------------------------------------------------------

    def gates(self) -> torch.Tensor:
        """(H, R + 1) gate values, float32; sampled in training. The noise is a function of (seed, step, layer)
        where `noise_key` is set, so that it is the same on every process and after every resume."""
        logits = self.gate.float()
        if not self.training:
            return mean_gate(logits)
        generator = None
        if self.noise_key is not None:
            seed, step = self.noise_key
            mixed = (seed * 1_000_003 + step) * 1_009 + self.layer_idx
            generator = torch.Generator(device=logits.device).manual_seed(mixed % 2**63)
        return sample_gate(logits, generator)

    def gate_parameters(self) -> list[nn.Parameter]:
        return [] if self.gate is None else [self.gate]

    def penalty(self) -> torch.Tensor | None:
        """Expected number of open gates: summed over relations, averaged over heads. None once hardened."""
        if self.gate is None:
            return None
        probability = open_probability(self.gate.float()).mean(0)
        return probability[:-1].sum() + self.options.other_penalty * probability[-1]

    def open_relations(self, threshold: float = 0.5) -> list[list[str]]:
        if self.hard is not None:
            return self.open_texts
        names = [str(r) for r in self.dictionary.relations] + [OTHER]
        is_open = mean_gate(self.gate.detach().float()) > threshold
        return [[names[r] for r in row.nonzero().flatten().tolist()] for row in is_open]

    def relation_weights(self) -> list[list[tuple[str, float]]]:
        names = [str(r) for r in self.dictionary.relations] + [OTHER]
        weight = self.weight.detach().exp() if self.log_weights else self.weight.detach()
        out = []
        for head, texts in enumerate(self.open_relations()):
            columns = range(len(texts)) if self.hard is not None else [names.index(t) for t in texts]
            pairs = [(t, float(weight[head, c])) for t, c in zip(texts, columns, strict=True)]
            out.append(sorted(pairs, key=lambda pair: -abs(pair[1])))
        return out

    @torch.no_grad()
    def settle(self) -> None:
        """Decide every gate for good while training goes on, so that what `harden` rounds has been trained rounded.

        A relation stays open if it is more often open than not; `other`, which costs the sparse path, only if its
        mean gate is above one half. What stays open keeps the weight z·exp(b), or z·b, that it has in evaluation.
        """
        if self.gate is None:
            return
        logits = self.gate.float()
        mean = mean_gate(logits)
        stays = open_probability(logits) > 0.5
        stays[:, -1] &= mean[:, -1] > 0.5
        factor = torch.where(stays, mean, 1.0)
        if self.log_weights:
            self.weight += factor.log().to(self.weight.dtype)
        else:
            self.weight *= factor.to(self.weight.dtype)
        self.gate.copy_(torch.where(stays, SETTLED, -SETTLED))

    @torch.no_grad()
    def harden(self, threshold: float = 0.5) -> list[list[str]]:
        """Open relations keep their weight, closed ones vanish. Per head, the open ones."""
        if self.hard is not None:
            return self.open_texts
        names = [str(r) for r in self.dictionary.relations] + [OTHER]
        heads = self.open_relations(threshold)
        soft = self.weight.detach()
        del self.weight, self.gate
        self._build_hard(heads)
        weight = torch.zeros(self.weight.shape, device=soft.device, dtype=soft.dtype)
        for head, texts in enumerate(heads):
            for slot, text in enumerate(texts):
                weight[head, slot] = soft[head, names.index(text)]
        self.weight = nn.Parameter(weight)
        return heads

    # -- attention -------------------------------------------------------------------------------------------------

    def _union_weights(self) -> tuple[RelationTable, torch.Tensor, torch.Tensor | None]:
        """The table to look up, weights (H, R), weight of `other` (H,) or None."""
        if self.hard is None:
            weights = self.gates() * self.weight.float().exp()
            return self.dictionary, weights[:, :-1], weights[:, -1]
        columns = torch.zeros(self.num_heads, len(self.hard), device=self.weight.device)
        others = []
        for head, texts in enumerate(self.open_texts):
            named = [slot for slot, text in enumerate(texts) if text != OTHER]
            if named:
                index = torch.tensor(self.members[head], device=self.weight.device)
                columns = columns.index_put(
                    (torch.full_like(index, head), index), self.weight[head, named].float().exp()
                )
            slot = texts.index(OTHER) if OTHER in texts else None
            others.append(self.weight[head, slot].float().exp() if slot is not None else columns.new_zeros(()))
        return self.hard, columns, torch.stack(others) if self.has_other else None

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor:
        """(B|1, H, T, S): log of the summed weights, -inf where no open relation holds."""
        table, weights, other = self._union_weights()
        total = table.weigh(weights, ctx, other)
        positive = total > 0
        return torch.where(positive, torch.where(positive, total, 1).log(), float("-inf")).to(q.dtype)

    def attend(self, q, k, v, scaling: float, ctx: PositionContext) -> torch.Tensor | None:
        """(B, H, T, D) over the open relations alone; None (use the dense form) until hardened, where `other` is
        open, under a custom mask, and where attention is dropped out in training."""
        dropped = self.training and self._config.attention_dropout > 0
        if not self.is_sparse or ctx.custom_mask is not None or dropped:
            return None
        key = ("relation_keys", self.layer_idx)
        if key not in ctx.memo:
            slots, valid = self.hard.keys(ctx) if len(self.hard) else (None, None)
            ctx.memo[key] = slots, valid
        slots, valid = ctx.memo[key]
        if slots is None:
            return torch.zeros_like(q)
        width = self.weight.shape[1]
        index = torch.tensor([m + [0] * (width - len(m)) for m in self.members], device=q.device)
        used = torch.tensor([[s < len(m) for s in range(width)] for m in self.members], device=q.device)
        log_weight = torch.where(used, self.weight.float(), float("-inf"))
        return relation_attention(q, k, v, slots[:, index], valid[:, index], log_weight, scaling, self.sink_logit)
