"""Composing permutations (the word problem of S5: arXiv 2210.10749, 2404.08819), with and without steps."""

import string
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .strings import draw_symbols
from .task import Characters, Task, TaskConfig, assemble, character_codes, nearest

_MOVES = ("swaps", "adjacent", "cycle")


@dataclass(frozen=True)
class PermutationConfig(TaskConfig):
    """Options of `permutation`.

    Attributes:
        points: how many things are moved, 2 to 7.
        moves: what the letters a, b, ... do: "swaps": swap any two places (a letter per pair, in the order 12, 13,
            ..., 23, ...); "adjacent": swap neighbours; "cycle": a swaps the first two places, b moves the first
            thing to the end. All of them generate the whole symmetric group.
        cot: True or "arrangements": write the arrangement after every letter before the final one.
    """

    steps = "arrangements"
    points: int = 5
    moves: str = "swaps"
    cot: bool = True

    def validate(self) -> None:
        super().validate()
        if not 2 <= self.points <= 7:
            raise ValueError(f"option 'points' must lie between 2 and 7, got {self.points}")
        if self.moves not in _MOVES:
            raise ValueError(f"option 'moves' cannot be {self.moves!r}; {nearest(self.moves, _MOVES)}")


class Permutation(Task):
    """apply n moves to the arrangement 12345: "ba=" -> "3214523145:23145", each arrangement and then the last one.

    With the chain of thought a step reads its letter, with a stride of one letter per arrangement (one relation for
    each digit of the arrangement, which tells where in it one is), and the digits back to the beginning of the
    arrangement before. Where a letter should be and "=" is, the steps are over.
    """

    name = "permutation"
    Config = PermutationConfig

    @property
    def letter_names(self) -> str:
        return string.ascii_lowercase[: len(self.tables)]

    @property
    def vocabulary(self) -> str:
        return self.letter_names + "1234567"[: self.config.points] + ("=:" if self.config.cot else "=")

    @property
    def final_separator(self) -> str | None:
        return ":" if self.config.cot else None

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        if not self.config.cot:
            return ()
        k = self.config.points
        ends = ["n" if d == 0 else f"n - {d}" for d in range(k)]
        return (*(f"i - {k}j = {end}" for end in ends), *(f"i - j = {d}" for d in range(2 * k - 1)))

    @property
    def src_verdict(self) -> str:
        if self.config.cot:
            return "constant: a step reads one letter, by a stride, and the arrangement before."
        return "growing: the answer depends on all n letters, and a positional read brings one."

    @property
    def tables(self) -> np.ndarray:
        """Where the thing at each place comes from: (letters, points)."""
        points, moves = self.config.points, self.config.moves
        if moves == "cycle":
            pairs, rest = [(0, 1)], [np.roll(np.arange(points), -1)]
        else:
            pairs, rest = list(combinations(range(points), 2)), []
            if moves == "adjacent":
                pairs = [(one, other) for one, other in pairs if other == one + 1]
        tables = np.tile(np.arange(points), (len(pairs), 1))
        for table, (one, other) in zip(tables, pairs, strict=True):
            table[[one, other]] = other, one
        return np.stack([*tables, *rest])

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, count, points, tables = scale[0], len(hard), self.config.points, self.tables
        letters = draw_symbols(n, len(tables), hard, rng)
        arrangement = np.tile(np.arange(points), (count, 1))
        running = np.empty((count, n, points), dtype=np.uint8)
        for place in range(n):
            arrangement = np.take_along_axis(arrangement, tables[letters[:, place]], axis=1)
            running[:, place] = arrangement
        running = (running + ord("1")).reshape(count, n * points)
        last = running[:, -points:]
        prompts = assemble(character_codes(self.letter_names)[letters], "=")
        return prompts, assemble(running, ":", last) if self.config.cot else last

    def solve(self, letters: str) -> str:
        points, moves = self.config.points, self.config.moves
        foreign = sorted(set(letters) - set(self.letter_names))
        if foreign:
            raise ValueError(f"moves must be of {self.letter_names!r}, got {letters[:40]!r}")
        things = list("1234567"[:points])
        pairs = [(one, other) for one in range(points) for other in range(one + 1, points)]
        steps = []
        for letter in letters:
            if moves == "cycle" and letter == "b":
                things.append(things.pop(0))
            else:
                number = "abcdefghijklmnopqrstuvwxyz".index(letter)
                one, other = pairs[number] if moves == "swaps" else (number, number + 1)
                things[one], things[other] = things[other], things[one]
            steps.append("".join(things))
        return "".join(steps) + ":" + steps[-1] if self.config.cot else steps[-1]
