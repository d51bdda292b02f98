"""Counting a symbol."""

from dataclasses import dataclass

import numpy as np

from .delimited import DelimitedConfig, QueryTask
from .strings import draw_symbols
from .task import Characters, assemble, character_codes


@dataclass(frozen=True)
class CountConfig(DelimitedConfig):
    """Options of `count`."""

    reserved = "?0123456789"


class Count(QueryTask):
    """how often does a symbol occur among n symbols? "abcabcabcabc?b=" -> "40" (4, least significant digit first).

    The answer has as many digits as n.
    """

    name = "count"
    Config = CountConfig
    src_verdict = "growing: the answer depends on all n symbols, and a positional read brings one."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, names = scale[0], character_codes(self.config.symbols)
        symbols = draw_symbols(n, len(names), hard, rng)
        query = rng.integers(0, len(names), size=(len(hard), 1), dtype=np.uint8)
        # Half of the hard rows, of few different symbols, ask about one that occurs: the others mostly count 0.
        occurring = hard & (rng.random(len(hard)) < 0.5)
        query[occurring] = symbols[occurring, :1]
        counts = (symbols == query).sum(axis=1, keepdims=True)
        digits = counts // 10 ** np.arange(len(str(n))) % 10
        return assemble(names[symbols], "?", names[query], "="), (digits + ord("0")).astype(np.uint8)

    def about(self, string: str, symbol: str) -> str:
        return str(string.count(symbol)).zfill(len(str(len(string))))[::-1]
