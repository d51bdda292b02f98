"""A position embedding inside another one: the bias that DAPE refines, the one that URPE or Abacus run with."""

from __future__ import annotations

import copy

from .position_base import PositionEmbedding, read_options

_ROTATIONS = ("rotate_query", "rotate_key")
# What a part cannot do from inside: its host has, or would have to share, these hooks.
_OWN = ("make_ids", "embed", "key_state", "reweight", "value_term", "attend")


def _overrides(cls: type[PositionEmbedding], hook: str) -> bool:
    return getattr(cls, hook) is not getattr(PositionEmbedding, hook)


def part_config(config, name: str, options: dict | None):
    """The model's configuration, as the part reads it: its own name and options in place of the host's."""
    part = copy.copy(config)
    part.position_embedding, part.position_options, part.open_relations = name, dict(options or {}), None
    return part


def part_class(config, name: str, options: dict | None) -> type[PositionEmbedding]:
    """The class of a part. ValueError for an unknown name."""
    # Imported here: the registry imports this package's base, and the hosts import the parts.
    from .position_registry import get_position_embedding

    return get_position_embedding(name).resolve(part_config(config, name, options))


def check_part(config, host: str, name: str, options: dict | None, rotary: bool = False, shared: bool = True) -> None:
    """Shared by the Options of hosts: `base` can be a part, and takes `base_options`.

    Args:
        host: the name of the embedding that holds the part, for messages.
        name, options: the part; 'none' is no part at all.
        rotary: the host passes rotations on too, not only a bias.
        shared: one instance of the host serves all layers.

    Raises:
        ValueError: an unknown name, an embedding that does more than a part can or differs from layer to layer where
            the host does not, options it does not take.
    """
    if name == "none":
        if options:
            raise ValueError(f"position option base_options of {host!r} is given, but its base is 'none'.")
        return
    cls = part_class(config, name, options)
    forbidden = _OWN if rotary else _OWN + _ROTATIONS
    useful = ("bias", *_ROTATIONS) if rotary else ("bias",)
    fits = not any(_overrides(cls, hook) for hook in forbidden) and any(_overrides(cls, hook) for hook in useful)
    # Without its sink, a head of such a part that reads nothing would have nothing to attend to.
    if not fits or cls.has_gates or cls.sink_logit is not None:
        kinds = "an additive bias or a rotation" if rotary else "an additive bias"
        raise ValueError(f"position option base of {host!r} must be {kinds} such as 'alibi' or 't5', not {name!r}.")
    if shared and cls.per_layer:
        raise ValueError(f"position option base of {host!r} serves all layers; {name!r} so made has one for each.")
    read_options(cls, part_config(config, name, options))


def build_part(config, name: str, options: dict | None, layer_idx: int | None) -> PositionEmbedding | None:
    """The part for one instance of the host, or None for 'none'."""
    if name == "none":
        return None
    return part_class(config, name, options)(part_config(config, name, options), layer_idx)
