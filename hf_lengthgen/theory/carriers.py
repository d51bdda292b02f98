"""Which relations a position embedding carries beyond its training scales: see `predict`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ..model.relation import LinearRelation
from .pola import Level
from .prf import Prf, ape, holds, nope, rpe, t5

HEADS = 4
_WINDOW = 8  # offsets of a relative embedding among which its relations are looked for
_CONTENT = {
    "randomized": "its ids are drawn at random",
    "random_float": "its ids are drawn at random",
    "abacus": "its ids are read off the tokens",
    "coupling": "its ids are read off the tokens",
    "rpe_square": "its classes depend on anchors found by content",
    "cope": "its positions count tokens chosen by content",
    "dape": "its bias depends on the content",
    "forgetting": "its decay depends on the content",
    "path": "its transitions depend on the content",
}


@dataclass(frozen=True)
class Carrier:
    """What an embedding can hold apart by position.

    Attributes:
        relations: those that it carries to any scale (of the window looked at), or None where nothing is said.
        prfs: φ of its heads, for how far it carries others.
        why: what its classes are, or why nothing is said.
    """

    relations: tuple[LinearRelation, ...] | None
    prfs: tuple[Prf, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class _Given:
    """What a carrier is made from: options, whether there is a Scale Hint, its integers, the heads and their shifts."""

    options: Any
    hinted: bool
    hints: int
    heads: int

    @property
    def shifts(self) -> list[int]:
        scale_shifts = getattr(self.options, "scale_shifts", 1)
        return sorted({head % scale_shifts for head in range(self.heads)}) if self.hinted else [0]

    @property
    def argument(self) -> str:
        return f" i - c·n - j, c = {', '.join(map(str, self.shifts))}" if self.hinted else " i - j"


def carrier(
    position_embedding: str,
    position_options: dict[str, Any] | None = None,
    scale_hint: str = "none",
    hints: int = 1,
    heads: int = HEADS,
) -> Carrier:
    """What a position embedding with these options carries.

    Raises:
        ValueError: an unknown embedding or option, or a Scale Hint for an embedding that has no use for it.
    """
    options = _options(position_embedding, dict(position_options or {}), scale_hint, hints, heads)
    if position_embedding in _CONTENT:
        return Carrier(None, why=_CONTENT[position_embedding])
    made_by = _MADE_BY.get(position_embedding)
    if made_by is None:
        return Carrier(None, why="nothing is known about its classes")
    return made_by(_Given(options, scale_hint != "none", hints, heads))


def _nope(given: _Given) -> Carrier:
    return Carrier((), (nope(),), "all positions are one class")


def _absolute(given: _Given) -> Carrier:
    if getattr(given.options, "offset", 0):
        return Carrier(None, why="its positions are moved at random in training")
    fixed = tuple(LinearRelation(0, 1, (0,) * given.hints, d) for d in range(_WINDOW + 1))
    return Carrier(fixed, (ape(),), "a class is a position j")


def _ideal(given: _Given) -> Carrier:
    parsed = tuple(LinearRelation.parse(text, given.hints) for text in given.options.relations)
    return Carrier(parsed, (), "its relations are given")


def _learned_prf(given: _Given) -> Carrier:
    kinds = {
        "linear": _dictionary,
        "mlp": _network,
        "table": lambda given: _clipped(given, given.options.table_window),
    }
    return kinds[given.options.parametrisation](given)


def _dictionary(given: _Given) -> Carrier:
    from ..model.position_learned import relation_dictionary

    config = SimpleNamespace(num_scale_hints=given.hints, scale_hint="input" if given.hinted else "none")
    return Carrier(tuple(relation_dictionary(given.options, config)), (), "its dictionary of relations")


def _network(given: _Given) -> Carrier:
    return Carrier(None, why="a network of (i, j, n) has no classes")


def _fixed(given: _Given) -> Carrier:
    return Carrier((), (nope(),), f"its weights of{given.argument} are fixed or have two numbers, no class is free")


def _hard_alibi(given: _Given) -> Carrier:
    """Head h = 1, 2, … sees |i - c·n - j| < h: a class of one distance only for h = 1 (or its difference to h = 2
    where no key lies ahead)."""
    windowed = given.heads // 2 if given.options.windowed_heads is None else given.options.windowed_heads
    zero = (0,) * given.hints
    distances = range(min(windowed, 1)) if given.hinted else range(windowed)
    found = tuple(LinearRelation(1, -1, zero, d) for d in distances)
    return Carrier(found, (nope(),), "a class is a window of distances")


def _table(given: _Given, prfs: tuple[Prf, ...], reach: int = _WINDOW, kind: str = "a distance") -> Carrier:
    """A free value for each distance up to `reach`, and for each class of the heads' φ."""
    reach = min(_WINDOW, reach)
    offsets = range(-reach, reach + 1)
    found = [LinearRelation(1, -1, (-c,) * given.hints, d) for c in given.shifts for d in offsets]
    return Carrier(tuple(r for r in found if not r.never_holds), prfs, f"a class is {kind}{given.argument}")


def _every_distance(given: _Given) -> Carrier:
    return _table(given, tuple(rpe(c) for c in given.shifts))


def _clipped(given: _Given, window: int) -> Carrier:
    # The last row stands for all that is farther.
    return _table(given, tuple(rpe(c, window) for c in given.shifts), window - 1)


def _t5(given: _Given) -> Carrier:
    options, hinted = given.options, given.hinted
    # Distances below half of the buckets of a side have one each.
    exact = options.buckets // (4 if hinted else 2)
    prfs = tuple(t5(options.buckets, options.max_distance, c if hinted else None) for c in given.shifts)
    return _table(given, prfs, exact - 1, "a bucket of")


_MADE_BY: dict[str, Callable[[_Given], Carrier]] = {
    "none": _nope,
    "learned": _absolute,
    "sinusoidal": _absolute,
    "ipe": _ideal,
    "lbpe": _learned_prf,
    "hard_alibi": _hard_alibi,
    "shaw": lambda given: _clipped(given, given.options.window),
    "t5": _t5,
    **dict.fromkeys(("rope", "transformer_xl", "fire", "xpos", "urpe"), _every_distance),
    **dict.fromkeys(("alibi", "sandwich", "kerple"), _fixed),  # one feature, or a family of two numbers
}


def _options(name: str, given: dict, scale_hint: str, hints: int, heads: int):
    """The embedding's Options, checked as a model's configuration would."""
    from ..model.position_base import read_options
    from ..model.position_registry import get_position_embedding

    config = SimpleNamespace(
        position_embedding=name,
        position_options=given,
        scale_hint=scale_hint,
        num_scale_hints=hints,
        num_attention_heads=heads,
        num_hidden_layers=2,
        hidden_size=32 * heads,
        head_dim=32,
        vocab_size=1 << 30,
        max_position_embeddings=4096,
        bos_token_id=1,
        pad_token_id=0,
    )
    if scale_hint not in ("none", "input", "prompt"):
        raise ValueError(f"scale_hint is one of none, input, prompt, got {scale_hint!r}.")
    cls = get_position_embedding(name).resolve(config)
    if scale_hint != "none" and not cls.takes_scale_hint:
        raise ValueError(f"the position embedding {name!r} does not use a Scale Hint; give scale_hint none.")
    return read_options(cls, config)


def reach(relations: Sequence[LinearRelation], prfs: Sequence[Prf], levels: Sequence[Level], n_max: int) -> int:
    """The largest N up to which every relation is carried by some head, as defined above; n_max at least.

    For each relation and head: the classes that in training mean the relation, only it; at a larger scale every pair
    where it holds must have such a class, and no other pair may.

    Args:
        levels: scales 1, 2, …; the first n_max are those of training. If N is the last: as far as was looked.
    """
    ends = [max((_head_reach(r, prf, levels, n_max) for prf in prfs), default=n_max) for r in relations]
    return min(ends, default=len(levels))


def _head_reach(relation: LinearRelation, prf: Prf, levels: Sequence[Level], n_max: int) -> int:
    inside, outside = set(), set()
    for level in levels[:n_max]:
        for i in level.rows:
            for j in range(i + 1):
                (inside if holds(relation, i, j, level.n) else outside).add(prf(i, j, level.n))
    pure = inside - outside
    for scale, level in enumerate(levels[n_max:], n_max + 1):
        for i in level.rows:
            for j in range(i + 1):
                if (prf(i, j, level.n) in pure) != holds(relation, i, j, level.n):
                    return scale - 1
    return len(levels)
