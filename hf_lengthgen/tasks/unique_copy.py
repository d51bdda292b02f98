"""Copying a string whose symbols are all different (arXiv 2310.16028 and 2410.02140)."""

import numpy as np

from .distinct import DistinctConfig, draw_unrepeated
from .strings import StringTask
from .task import Characters, assemble, character_codes


class UniqueCopy(StringTask):
    """repeat a string of n different symbols: "xqbz=" -> "xqbz".

    The symbol to write follows the one just written wherever that occurs, so reading by content works as well
    as reading by position. Strings longer than the alphabet need window=2, under which no pair of neighbours
    occurs twice.
    """

    name = "unique_copy"
    Config = DistinctConfig
    ideal_relations = ("i - j = n",)
    src_verdict = "constant: every symbol is read n places back."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        names = character_codes(self.config.symbols)
        symbols = names[draw_unrepeated(scale[0], len(names), self.config.window, hard, rng)]
        return assemble(symbols, "="), symbols

    def solve(self, string: str) -> str:
        window = self.config.window
        runs = [string[k : k + window] for k in range(len(string) - window + 1)]
        if len(set(runs)) < len(runs):
            what = "symbol" if window == 1 else "pair of neighbours"
            raise ValueError(f"no {what} may occur twice, but one does in {string[:40]!r}")
        return string
