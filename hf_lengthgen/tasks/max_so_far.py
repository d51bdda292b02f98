"""Running maxima."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from .strings import StringConfig, StringTask, draw_symbols
from .task import Characters, assemble, character_codes


@dataclass(frozen=True)
class MaxSoFarConfig(StringConfig):
    """Options of `max_so_far`; the order of `symbols` is the order of size."""

    symbols: str = "0123456789"


class MaxSoFar(StringTask):
    """the largest of the first 1, 2, ..., n symbols: "3154=" -> "3355".

    Each step compares the symbol n places back with the maximum just written; where there is "=" instead of a
    symbol, the answer is complete. Half of the hard rows rise slowly: in uniform ones the maximum is soon reached.
    """

    name = "max_so_far"
    Config = MaxSoFarConfig
    ideal_relations = ("i - j = n", "i - j = 0")
    src_verdict = "constant: each step reads one symbol, n places back, and the maximum just written."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, names = scale[0], character_codes(self.config.symbols)
        symbols = draw_symbols(n, len(names), hard, rng)
        rising = np.flatnonzero(hard & (rng.random(len(hard)) < 0.5))
        ceiling = 1 + np.arange(n) * len(names) // n
        symbols[rising] = rng.random((len(rising), n)) * ceiling
        return assemble(names[symbols], "="), names[np.maximum.accumulate(symbols, axis=1)]

    def solve(self, string: str) -> str:
        order = self.config.symbols.index
        return "".join(accumulate(string, lambda largest, symbol: max(largest, symbol, key=order)))
