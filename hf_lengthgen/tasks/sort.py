"""Sorting the symbols of a string ("bucket sort" of arXiv 2207.02098; with unique symbols, "sort" of 2310.16028)."""

from dataclasses import dataclass

import numpy as np

from .distinct import draw_unrepeated
from .strings import StringConfig, StringTask, draw_symbols
from .task import Characters, assemble, character_codes


@dataclass(frozen=True)
class SortConfig(StringConfig):
    """Options of `sort`.

    Attributes:
        unique: no symbol occurs twice; n is then at most the number of symbols.
    """

    unique: bool = False


class Sort(StringTask):
    """sort n symbols into the order of `symbols`: "cabca=" -> "aabcc".

    Bucket sort, the task of 2207.02098, is this with symbols="01234".
    """

    name = "sort"
    Config = SortConfig
    src_verdict = "growing: every symbol written depends on all n symbols, and a positional read brings one."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        names = character_codes(self.config.symbols)
        if self.config.unique:
            symbols = draw_unrepeated(scale[0], len(names), 1, hard, rng, instead="unique=False")
        else:
            symbols = draw_symbols(scale[0], len(names), hard, rng)
        return assemble(names[symbols], "="), names[np.sort(symbols, axis=1)]

    def solve(self, string: str) -> str:
        if self.config.unique and len(set(string)) < len(string):
            raise ValueError(f"a symbol occurs twice in {string[:40]!r}; use unique=False")
        return "".join(symbol * string.count(symbol) for symbol in self.config.symbols)
