"""Majority of bits."""

import numpy as np

from .strings import draw_symbols
from .task import Characters, Task, assemble


class Majority(Task):
    """are more than half of n bits ones? "01101=" -> "1"; a tie counts as no: "0110=" -> "0".

    Hard rows are, in equal parts, as close to a tie as can be, or have long runs, few ones or few zeros.
    """

    name = "majority"
    vocabulary = "01="
    src_verdict = "growing: the answer depends on all n bits, and a positional read brings one."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n = scale[0]
        bits = draw_symbols(n, 2, hard, rng)
        close = np.flatnonzero(hard & (rng.random(len(hard)) < 0.5))
        ones = n // 2 + rng.integers(0, 2, size=(len(close), 1))
        bits[close] = rng.permuted(np.arange(n) < ones, axis=1)
        more = 2 * bits.sum(axis=1, dtype=np.int64, keepdims=True) > n
        return assemble(bits + ord("0"), "="), (more + ord("0")).astype(np.uint8)

    def solve(self, bits: str) -> str:
        return "1" if bits.count("1") > bits.count("0") else "0"
