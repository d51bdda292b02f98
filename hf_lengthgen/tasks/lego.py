"""Chains of signed variables, in the manner of LEGO (arXiv 2206.04301)."""

import string
from dataclasses import dataclass

import numpy as np

from .distinct import draw_distinct
from .task import Characters, Task, TaskConfig, assemble, character_codes, nearest

_ORDERS = ("chain", "shuffled")
_ROOT = "1"


@dataclass(frozen=True)
class LegoConfig(TaskConfig):
    """Options of `lego`.

    Attributes:
        order: "chain": every clause uses the variable of the clause before; "shuffled": clauses in random order.
        width: letters of a name, 1 or 2: up to 52 or 2704 variables.
    """

    order: str = "chain"
    width: int = 2

    def validate(self) -> None:
        super().validate()
        if self.order not in _ORDERS:
            raise ValueError(f"option 'order' cannot be {self.order!r}; {nearest(self.order, _ORDERS)}")
        if self.width not in (1, 2):
            raise ValueError(f"option 'width' must be 1 or 2, got {self.width}")


class Lego(Task):
    """the values of n variables: "k+1x-kb-x:???=" -> "+-+" (width=1: k = +1, x = -k, b = -x).

    A clause is a variable, a sign and its source; the source of the first clause of the chain is 1. As many values
    as there are "?" are wanted, in the order in which the clauses are written. Hard rows are all plus, all minus,
    or minus with probability 1/10.

    In the order of the chain a step reads the sign of its clause, by a stride of the clause's width, and the value
    just written. Beyond the clauses stands a "?" or "=" instead of a sign: the answer is complete.
    """

    name = "lego"
    Config = LegoConfig
    scale_rule = ((":", "="),)
    delimiters = ":="

    @property
    def vocabulary(self) -> str:
        return string.ascii_letters + _ROOT + "+-?:="

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        if self.config.order == "shuffled":
            return ()
        width = self.config.width
        clause = 2 * width + 1
        return (f"{clause}i - j = {clause * (clause + 1)}n + {2 * clause - width - 1}", "i - j = 0")

    @property
    def src_verdict(self) -> str:
        if self.config.order == "chain":
            return "constant: a step reads the sign of its clause, by a stride, and the value just written."
        return "growing: the clause that gives a source may be anywhere, and a positional read looks at one place."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, count, width = scale[0], len(hard), self.config.width
        letters = character_codes(string.ascii_letters)
        most = len(letters) ** width
        if n > most:
            raise ValueError(f"there are {most} names of {width} letter(s), too few for n = {n} variables")
        number = draw_distinct(n, most, count, rng)
        names = letters[np.stack([number // len(letters) ** place % len(letters) for place in range(width)], axis=2)]
        share = np.where(hard, np.array([0.0, 1.0, 0.1])[rng.integers(0, 3, size=count)], 0.5)
        minus = rng.random((count, n)) < share[:, None]
        values = np.bitwise_xor.accumulate(minus, axis=1)
        root = np.full((count, 1, width), ord(_ROOT), dtype=np.uint8)
        sources = np.concatenate([root, names[:, :-1]], axis=1)
        if self.config.order == "shuffled":
            order = np.argsort(rng.random((count, n)), axis=1)
            names, sources = (np.take_along_axis(part, order[:, :, None], axis=1) for part in (names, sources))
            minus, values = (np.take_along_axis(part, order, axis=1) for part in (minus, values))
        signs = character_codes("+-")
        clauses = np.concatenate([names, signs[minus.astype(np.int64)][:, :, None], sources], axis=2)
        prompts = assemble(clauses.reshape(count, n * (2 * width + 1)), ":", np.full((count, n), ord("?")), "=")
        return prompts, signs[values.astype(np.int64)]

    def solve(self, clauses: str, marks: str) -> str:
        width = self.config.width
        step = 2 * width + 1
        source: dict[str, tuple[int, str]] = {}
        for start in range(0, len(clauses), step):
            name, sign, other = (clauses[start:][a:b] for a, b in ((0, width), (width, width + 1), (width + 1, step)))
            if not (name.isalpha() and len(other) == width and sign in ("+", "-")) or name in source:
                raise ValueError(f"clause {clauses[start : start + step]!r} is no new variable, sign and source")
            source[name] = (-1 if sign == "-" else 1, other)
        if marks != "?" * len(source):
            raise ValueError(f"one '?' per clause is needed, got {len(source)} clauses and {marks[:40]!r}")
        value = {_ROOT * width: 1}
        for name in source:
            path = [name]
            while path[-1] not in value:
                _, other = source.get(path[-1], (0, ""))
                if not other or len(path) > len(source):  # an unknown variable, or a circle
                    raise ValueError(f"the value of {name!r} cannot be told: the chain from it does not end in {_ROOT}")
                path.append(other)
            for known, unknown in zip(path[::-1], path[-2::-1], strict=False):
                value[unknown] = source[unknown][0] * value[known]
        if self.config.order == "chain":
            before = [_ROOT * width, *source]
            if any(other != last for last, (_, other) in zip(before, source.values(), strict=False)):
                raise ValueError("order='chain' has every variable defined by the one before it, the first by the root")
        return "".join("+" if value[name] == 1 else "-" for name in source)
