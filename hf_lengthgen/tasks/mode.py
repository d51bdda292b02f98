"""The most frequent symbol ("mode" of arXiv 2310.16028; "majority" over several symbols in 2410.02140)."""

import numpy as np

from .strings import StringTask, draw_symbols
from .task import Characters, assemble, character_codes


class Mode(StringTask):
    """the most frequent of n symbols: "bacab=" -> "a"; among equals the first in the order of `symbols`.

    Hard rows are, in equal parts, as close to a tie of two symbols as can be, or constant, made of two symbols, or
    of long runs.
    """

    name = "mode"
    src_verdict = "growing: the answer depends on all n symbols, and a positional read brings one."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, names = scale[0], character_codes(self.config.symbols)
        symbols = draw_symbols(n, len(names), hard, rng)
        close = np.flatnonzero(hard & (rng.random(len(hard)) < 0.5))
        pair = rng.integers(0, len(names), size=(len(close), 2), dtype=np.uint8)
        second = (np.arange(n) < n // 2 + rng.integers(0, 2, size=(len(close), 1))).astype(np.int64)
        symbols[close] = rng.permuted(np.take_along_axis(pair, second, axis=1), axis=1)
        counts = np.stack([(symbols == symbol).sum(axis=1) for symbol in range(len(names))], axis=1)
        return assemble(names[symbols], "="), names[counts.argmax(axis=1)][:, None]

    def solve(self, string: str) -> str:
        return max(self.config.symbols, key=string.count)  # the first of the largest
