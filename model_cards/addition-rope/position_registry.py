"""The names of the position embeddings. Each is imported when first asked for."""

from __future__ import annotations

from collections.abc import Callable

from .position_base import PositionEmbedding, nearest, read_options


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


def _cope():
    from .position_cope import ContextualEmbedding

    return ContextualEmbedding


def _dape():
    from .position_dape import DataAdaptiveEmbedding

    return DataAdaptiveEmbedding


def _urpe():
    from .position_urpe import UniversalEmbedding

    return UniversalEmbedding


def _rpe_square():
    from .position_rpe_square import RelativeSquareEmbedding

    return RelativeSquareEmbedding


def _forgetting():
    from .position_forgetting import ForgettingEmbedding

    return ForgettingEmbedding


def _path():
    from .position_path import HouseholderPathEmbedding

    return HouseholderPathEmbedding


def _abacus():
    from .position_structured import AbacusEmbedding

    return AbacusEmbedding


def _coupling():
    from .position_structured import CouplingEmbedding

    return CouplingEmbedding


def _ipe():
    from .position_relation import IdealEmbedding

    return IdealEmbedding


def _lbpe():
    from .position_learned import LearnedRelationEmbedding

    return LearnedRelationEmbedding


def _shaw():
    from .position_relative import ShawEmbedding

    return ShawEmbedding


def _transformer_xl():
    from .position_relative import TransformerXlEmbedding

    return TransformerXlEmbedding


def _hard_alibi():
    from .position_bias import HardAlibiEmbedding

    return HardAlibiEmbedding


def _kerple():
    from .position_kernel import KerpleEmbedding

    return KerpleEmbedding


def _sandwich():
    from .position_bias import SandwichEmbedding

    return SandwichEmbedding


def _fire():
    from .position_kernel import FireEmbedding

    return FireEmbedding


def _xpos():
    from .position_xpos import XposEmbedding

    return XposEmbedding


def _randomized():
    from .position_random import RandomizedEmbedding

    return RandomizedEmbedding


def _random_float():
    from .position_random import RandomFloatEmbedding

    return RandomFloatEmbedding


_REGISTRY: dict[str, Callable[[], type[PositionEmbedding]]] = {
    "none": _none,
    "learned": _learned,
    "sinusoidal": _sinusoidal,
    "rope": _rope,
    "alibi": _alibi,
    "t5": _t5,
    "shaw": _shaw,
    "transformer_xl": _transformer_xl,
    "hard_alibi": _hard_alibi,
    "kerple": _kerple,
    "sandwich": _sandwich,
    "fire": _fire,
    "xpos": _xpos,
    "randomized": _randomized,
    "random_float": _random_float,
    "cope": _cope,
    "dape": _dape,
    "urpe": _urpe,
    "rpe_square": _rpe_square,
    "forgetting": _forgetting,
    "path": _path,
    "abacus": _abacus,
    "coupling": _coupling,
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
        ValueError: the name is missing or taken by another class, or `cls` is not a PositionEmbedding.
    """
    if not (isinstance(cls, type) and issubclass(cls, PositionEmbedding)):
        raise ValueError(f"register_position_embedding takes a subclass of PositionEmbedding, not {cls!r}.")
    if not cls.name:
        raise ValueError(f"{cls.__name__} needs a name to be registered: set the class attribute `name`.")
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
    if config.position_package is not None and config.position_embedding not in _REGISTRY:
        raise ValueError(
            f"the position embedding {config.position_embedding!r} is registered by {config.position_package!r}: "
            f"import that first."
        )
    cls = get_position_embedding(config.position_embedding).resolve(config)
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
