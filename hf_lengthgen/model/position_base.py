"""The interface that every position embedding implements, and the registry that names them.

Attention never asks which embedding it has: it calls the hooks of `PositionEmbedding`, all of which do nothing
by default. An embedding overrides the few it needs.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass(frozen=True)
class Capabilities:
    """What one instance of a position embedding can do (it depends on its options).

    `lengthgen positions` prints this record and the test suite checks every cell of it.
    """

    cache: bool = True
    left_padding: bool = True
    sdpa: bool = True
    flex: bool = False
    mixed_scale: bool = True
    structured_ids: bool = False
    learned_parameters: bool = False
    extrapolates: bool = False


@dataclass
class PositionContext:
    """Where the queries and keys of one forward pass stand. Built once, shared by all layers.

    Batch dimensions are B, or 1 where all examples agree, so that a bias is computed once for the whole batch.

    Attributes:
        q_pos: (B|1, T) logical positions of the queries, 0-based; -1 is padding.
        k_pos: (B|1, S) logical positions of the physical key slots; -1 is padding or an unwritten cache slot.
        left_pad: (B|1,) number of padding slots in front: physical slot = logical position + left_pad.
        q_ids, k_ids: the embedding's own ids (random, structured); the positions unless it made others.
        scale: (B|1, hints) Scale Hints, or None.
        boundaries: (B|1, hints, 2) logical positions of the delimiters around each hint's tokens, or None.
        custom_mask: (B|1, 1|H, T, S) bool, True = may attend; only where the caller passed a 4-D mask.
        plain_causal: no padding, no cache, no custom mask: a causal kernel needs no mask tensor.
        memo: results that depend on the context alone, kept from layer to layer.
    """

    q_pos: torch.Tensor
    k_pos: torch.Tensor
    left_pad: torch.Tensor
    q_ids: torch.Tensor
    k_ids: torch.Tensor
    scale: torch.Tensor | None = None
    boundaries: torch.Tensor | None = None
    custom_mask: torch.Tensor | None = None
    plain_causal: bool = False
    memo: dict = field(default_factory=dict)

    @property
    def visible(self) -> torch.Tensor:
        """(B|1, 1|H, T, S) bool: the keys that each query may read. A padding query reads its own slot, so that
        no softmax runs over an empty set; nothing reads its output."""
        if "visible" not in self.memo:
            q, k = self.q_pos[:, :, None], self.k_pos[:, None, :]
            visible = ((k >= 0) & (k <= q))[:, None]
            if self.custom_mask is not None:
                visible = visible & self.custom_mask
            slots = torch.arange(k.shape[-1], device=k.device)
            offset = self.memo.get("query_offset", 0)
            own = (slots[None, :] == slots[: q.shape[1], None] + offset)[None, None]
            self.memo["visible"] = visible | (own & ~visible.any(-1, keepdim=True))
        return self.memo["visible"]

    def total_scale(self) -> torch.Tensor:
        """(B|1,) the sum of an example's hints, by which relative embeddings shift their queries."""
        return self.scale.sum(-1)

    def distance(self, shifts: torch.Tensor | None = None) -> torch.Tensor:
        """(B|1, H|1, T, S) signed distance i - c·n - j from query to key.

        Args:
            shifts: (H,) the multiple c of the scale by which each head moves its query; None is 0 everywhere.
        """
        if shifts is None or self.scale is None:
            return (self.q_ids[:, :, None] - self.k_ids[:, None, :])[:, None]
        shift = shifts.to(self.q_ids.device)[None, :] * self.total_scale()[:, None]
        return self.q_ids[:, None, :, None] - shift[:, :, None, None] - self.k_ids[:, None, None, :]


class PositionEmbedding(nn.Module):
    """Base class: every hook does nothing.

    Class attributes:
        name: its name in `config.position_embedding`.
        per_layer: True where every layer has an instance of its own (`layer_idx` is then its index), False where
            one instance serves all layers (`layer_idx` is None).
        takes_scale_hint: True where a Scale Hint changes what the embedding computes.
        has_gates: True where `harden` rounds gates and records them in `config.open_relations`.
        sink_logit: logit of an extra key with value zero, or None. With it a query may read nothing at all.
        uses_segments: True where `PositionContext.boundaries` is needed.
        Options: frozen dataclass of the keys allowed in `config.position_options`.
    """

    name = ""
    per_layer = False
    takes_scale_hint = False
    has_gates = False
    sink_logit: float | None = None

    @dataclass(frozen=True)
    class Options:
        """This embedding has no options."""

        def validate(self, config) -> None:
            """Raise ValueError where an option contradicts another one or the configuration."""

    def __init__(self, config, layer_idx: int | None = None):
        super().__init__()
        self.layer_idx = layer_idx
        self.num_heads = config.num_attention_heads
        self.has_scale = config.scale_hint != "none"
        self.options = read_options(type(self), config)

    @classmethod
    def build(cls, config, layer_idx: int | None = None) -> PositionEmbedding:
        """An instance for the configuration; a family of classes under one name chooses here."""
        return cls(config, layer_idx)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    @property
    def uses_segments(self) -> bool:
        return False

    def init_weights(self) -> None:
        """Initialise this module's own parameters with `transformers.initialization` (it skips loaded ones)."""

    def make_ids(self, input_ids, position_ids):
        """The embedding's own ids for the full input, (B|1, T), or None to use the positions."""
        return None

    def embed(self, ctx: PositionContext) -> torch.Tensor | None:
        """(B|1, T, hidden) to add to the token embeddings, or None."""
        return None

    def key_state(self, hidden: torch.Tensor, ctx: PositionContext) -> torch.Tensor | None:
        """(B, H, T, E) of each new key's hidden state, cached beside the key, or None."""
        return None

    def rotate_query(self, q: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, D) → (B, H, T, D)."""
        return q

    def rotate_key(self, k: torch.Tensor, ids: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, D) of the new keys with ids (B|1, T) → the same shape; it is what the cache keeps."""
        return k

    def bias(self, q, k, state, ctx: PositionContext) -> torch.Tensor | None:
        """(B|1, H|1, T, S) added to the scaled scores; it may depend on q, k and the cached state. Or None."""
        return None

    def reweight(self, probs: torch.Tensor, ctx: PositionContext) -> torch.Tensor:
        """(B, H, T, S) after the softmax. An embedding that overrides it declares `sdpa=False`."""
        return probs

    def attend(self, q, k, v, scaling: float, ctx: PositionContext) -> torch.Tensor | None:
        """A path of the embedding's own: (B, H, T, D), or None for ordinary attention with the hooks above."""
        return None

    def penalty(self) -> torch.Tensor | None:
        """A scalar that training adds to the loss, or None."""
        return None

    def gate_parameters(self) -> list[nn.Parameter]:
        """Parameters that decide which relations are open; training gives them a learning rate of their own."""
        return []

    def open_relations(self, threshold: float = 0.5) -> list[list[str]] | None:
        """Per head, the readable relations whose gate is above the threshold; None without gates."""
        return None

    def relation_weights(self) -> list[list[tuple[str, float]]] | None:
        """Per head, (readable relation, weight) of the open relations, the heaviest first; None without gates."""
        return None

    def harden(self, threshold: float = 0.5) -> list[list[str]]:
        """Round the gates in place and return the open relations per head.

        Raises:
            ValueError: the embedding has no gates.
        """
        raise ValueError(f"the position embedding {self.name!r} of this model has no gates to round.")

    @property
    def is_sparse(self) -> bool:
        """True where `attend` takes a path that costs O(L·K)."""
        return False


class ScaleShift:
    """Mix-in for relative embeddings: with a Scale Hint, φ(i, j) becomes φ(i - c·n, j) [our formulation].

    Heads are dealt out to c = 0, 1, …, `scale_shifts` - 1 in turn. A shifted head sees negative distances too.
    """

    takes_scale_hint = True

    def head_shifts(self) -> torch.Tensor | None:
        """(H,) the multiple c of each head, or None without a hint."""
        if not self.has_scale:
            return None
        return torch.arange(self.num_heads) % self.options.scale_shifts


def check_scale_shifts(options, config) -> None:
    """Shared by the Options of relative embeddings: `scale_shifts` is a positive int."""
    if options.scale_shifts < 1:
        raise ValueError(f"position option scale_shifts must be at least 1, not {options.scale_shifts}.")


def nearest(name: str, names) -> str:
    """' Did you mean …?' for the nearest of the names, or an empty string."""
    match = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f" Did you mean {match[0]!r}?" if match else ""


def _has_type(value, annotation) -> bool:
    if annotation is typing.Any:
        return True
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_has_type(value, option) for option in typing.get_args(annotation))
    if origin is not None:
        return isinstance(value, (list, tuple) if origin in (list, tuple) else origin)
    if annotation is type(None):
        return value is None
    if annotation is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation)


def read_options(cls: type[PositionEmbedding], config):
    """`config.position_options` as the embedding's `Options`.

    Raises:
        ValueError: an option that this embedding does not have (with the nearest match), one of a wrong type, or
            one that contradicts the configuration.
    """
    allowed = typing.get_type_hints(cls.Options)
    given = dict(config.position_options or {})
    for key, value in given.items():
        if key not in allowed:
            raise ValueError(
                f"position embedding {cls.name!r} has no option {key!r}; "
                f"it has {', '.join(sorted(allowed)) or 'no options'}.{nearest(key, allowed)}"
            )
        if not _has_type(value, allowed[key]):
            expected = {f.name: f.type for f in dataclasses.fields(cls.Options)}[key]
            raise ValueError(f"position option {key!r} of {cls.name!r} must be {expected}, not {value!r}.")
    options = cls.Options(**given)
    options.validate(config)
    return options


def _none():
    from .position_absolute import NoPositionEmbedding

    return NoPositionEmbedding


def _learned():
    from .position_absolute import LearnedEmbedding

    return LearnedEmbedding


def _sinusoidal():
    from .position_absolute import SinusoidalEmbedding

    return SinusoidalEmbedding


def _rope():
    from .position_rotary import RotaryEmbedding

    return RotaryEmbedding


def _alibi():
    from .position_bias import AlibiEmbedding

    return AlibiEmbedding


def _t5():
    from .position_bias import T5Embedding

    return T5Embedding


def _ipe():
    from .position_relation import IdealEmbedding

    return IdealEmbedding


def _lbpe():
    from .position_learned import LearnedRelationEmbedding

    return LearnedRelationEmbedding


_REGISTRY: dict[str, Callable[[], type[PositionEmbedding]]] = {
    "none": _none,
    "learned": _learned,
    "sinusoidal": _sinusoidal,
    "rope": _rope,
    "alibi": _alibi,
    "t5": _t5,
    "ipe": _ipe,
    "lbpe": _lbpe,
}


def list_position_embeddings() -> list[str]:
    """The registered names, built-in ones first."""
    return list(_REGISTRY)


def get_position_embedding(name: str) -> type[PositionEmbedding]:
    """The class registered under a name.

    Raises:
        ValueError: no such name; the message gives the nearest match and all names.
    """
    if name not in _REGISTRY:
        raise ValueError(
            f"unknown position embedding {name!r}.{nearest(name, _REGISTRY)} "
            f"Known: {', '.join(list_position_embeddings())}."
        )
    return _REGISTRY[name]()


def register_position_embedding(cls: type[PositionEmbedding]) -> type[PositionEmbedding]:
    """Register a third party's embedding under `cls.name`; usable as a decorator.

    Its code does not travel with a saved model: whoever loads the model must import the package that registers it.

    Raises:
        ValueError: the name is taken by another class, or `cls` is not a PositionEmbedding.
    """
    if not (isinstance(cls, type) and issubclass(cls, PositionEmbedding)):
        raise ValueError(f"register_position_embedding takes a subclass of PositionEmbedding, not {cls!r}.")
    if cls.name in _REGISTRY and _REGISTRY[cls.name]() is not cls:
        raise ValueError(f"the position embedding name {cls.name!r} is already taken; set another `name`.")
    _REGISTRY[cls.name] = lambda: cls
    return cls


def check_position(config) -> None:
    """What `LengthGenConfig` asks of its position embedding.

    Raises:
        ValueError: unknown name, bad options, a Scale Hint for an embedding that has no use for one, or
            `open_relations` for an embedding without gates or of another shape.
    """
    cls = get_position_embedding(config.position_embedding)
    read_options(cls, config)
    if config.scale_hint != "none" and not cls.takes_scale_hint:
        raise ValueError(
            f"scale_hint={config.scale_hint!r}, but the position embedding {cls.name!r} does not use a Scale Hint; "
            f"those that do: {', '.join(n for n in _REGISTRY if _REGISTRY[n]().takes_scale_hint)}."
        )
    if config.open_relations is not None:
        if not cls.has_gates:
            raise ValueError(f"open_relations is given, but the position embedding {cls.name!r} has no gates.")
        if len(config.open_relations) != config.num_hidden_layers:
            raise ValueError(
                f"open_relations has {len(config.open_relations)} layers, the model {config.num_hidden_layers}."
            )
