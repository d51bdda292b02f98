"""The interface that every position embedding implements.

Attention never asks which embedding it has: it calls the hooks of `PositionEmbedding`, all of which do nothing
by default. An embedding overrides the few it needs.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass

import torch
from torch import nn

from .position_context import PositionContext


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
    export: bool = True  # torch.export, the Scale Hint an input, gives the same logits at other sizes


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
    square_tables = False  # a step with a cache, too, makes tables of all keys by all keys

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
    def resolve(cls, config) -> type[PositionEmbedding]:
        """The class that serves the configuration; a family of classes under one name chooses by an option."""
        return cls

    @classmethod
    def build(cls, config, layer_idx: int | None = None) -> PositionEmbedding:
        """An instance of this class."""
        return cls.resolve(config)(config, layer_idx)

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

    def value_term(self, probs: torch.Tensor, ctx: PositionContext) -> torch.Tensor | None:
        """(B, H, T, S) → (B, H, T, D) added to the weighted values, or None. It too needs `sdpa=False`."""
        return None

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

    def settle(self) -> None:
        """Decide all gates while training goes on; an embedding without gates has none to decide."""

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
