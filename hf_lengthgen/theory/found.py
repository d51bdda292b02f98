"""What discovery finds: a verdict, relations, an operator table and its growth, or a proof that there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..model.relation import LinearRelation

CONSTANT, GROWING, UNDECIDED = "constant", "growing", "undecided"


@dataclass(frozen=True)
class Growth:
    """How many tuples (operators) a set of relations has met at scales up to n, and what is new at n.

    Attributes:
        n: the scale. tuples: distinct ones at scales <= n. new: those among them not met before n.
        trained: n is a scale that was searched, not held out.
    """

    n: int
    tuples: int
    new: int
    trained: bool


@dataclass(frozen=True)
class Witness:
    """Two rows that read the same through every relation of the dictionary and go on differently.

    Attributes:
        n: their scale (the larger one). first, second: the two texts up to the token in question, and the next tokens.
    """

    n: int
    first: tuple[str, str]
    second: tuple[str, str]

    def __str__(self) -> str:
        (one, a), (two, b) = self.first, self.second
        place = next((k for k, (x, y) in enumerate(zip(one, two, strict=False)) if x != y), 0)
        return f"n = {self.n}: {_cut(one, place)} goes on with {a!r}, {_cut(two, place)} with {b!r}"


@dataclass
class Discovery:
    """What was found.

    Attributes:
        verdict: "constant": a set of at most `limit` relations works, longer rows (of at least HELD_OUT_TOKENS
            tokens to be told) do not contradict it, and COVERAGE of the tuples that they read occur at scales <= n_max.
            "growing": no set of relations of the dictionary works,
            however large, proved by `witness`. "undecided": neither.
        reason: why, in one sentence.
        relations: the chosen set (empty if none works).
        sets: every smallest set that works on the rows searched (at most 100), the chosen one first.
        dictionary: which was used. dictionary_size: its relations.
        n_max: the largest n searched. held_out: those held out. As everywhere here, n is what the hint counts.
        tuples: size of the chosen set's operator table. coverage: share of the held-out tuples that are in it.
        growth: the table's size as a function of n.
        table: what was read -> the next token, readable.
        witness: for a growing verdict, two rows that no set of relations can tell apart.
        without_hint, without_cot: the same without the Scale Hint, without the chain of thought; None where the task
            has no such thing or it was not asked for.
    """

    verdict: str
    reason: str
    relations: tuple[LinearRelation, ...] = ()
    sets: tuple[tuple[LinearRelation, ...], ...] = ()
    dictionary: str = ""
    dictionary_size: int = 0
    limit: int = 0
    n_max: int = 0
    held_out: tuple[int, ...] = ()
    tuples: int = 0
    coverage: float = 0.0
    contradictions: int = 0
    growth: tuple[Growth, ...] = ()
    table: dict[tuple[str, ...], str] = field(default_factory=dict, repr=False)
    witness: Witness | None = None
    without_hint: Discovery | None = None
    without_cot: Discovery | None = None

    @property
    def support(self) -> int:
        """|S|, the number of relations."""
        return len(self.relations)

    def texts(self) -> list[str]:
        """The relations, readable: ["i - j = n", …]."""
        return [str(relation) for relation in self.relations]

    def to_dict(self) -> dict:
        """What a JSON file keeps (not the operator table itself)."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "relations": self.texts(),
            "support": self.support,
            "equivalent_sets": [[str(r) for r in chosen] for chosen in self.sets[1:]],
            "dictionary": self.dictionary,
            "dictionary_size": self.dictionary_size,
            "limit": self.limit,
            "n_max": self.n_max,
            "held_out": list(self.held_out),
            "operators": self.tuples,
            "coverage": self.coverage,
            "contradictions": self.contradictions,
            "growth": [[g.n, g.tuples, g.new] for g in self.growth],
            "witness": None if self.witness is None else str(self.witness),
            "without_hint": None if self.without_hint is None else self.without_hint.to_dict(),
            "without_cot": None if self.without_cot is None else self.without_cot.to_dict(),
        }


def _cut(text: str, place: int) -> str:
    """At most 60 characters of a text: those around `place`, where it matters."""
    start = max(0, min(place - 30, len(text) - 60))
    end = start + 60
    return repr(("…" if start else "") + text[start:end] + ("…" if end < len(text) else ""))


def discovered_options(discovery: Discovery) -> dict:
    """`position_options` that restrict LBPE's dictionary to the relations discovered: their forms, the smallest
    window, their segments.

    Raises:
        ValueError: nothing was discovered.
    """
    if not discovery.relations:
        raise ValueError(f"discovery found no relations ({discovery.reason}); there is nothing to restrict LBPE to.")
    plain = [r.normalized() for r in discovery.relations if r.segment is None]
    forms = [[a, b, list(c)] for a, b, c in dict.fromkeys((r.a, r.b, r.c) for r in plain)]
    segments = sorted({r.segment for r in discovery.relations if r.segment is not None})
    window = max(abs(r.normalized().d) for r in discovery.relations)
    if not forms:  # LBPE wants one form at least
        forms = [[1, -1, [0] * len(discovery.relations[0].c)]]
    return {"forms": forms, "window": window, **({"segments": segments} if segments else {})}
