"""Parity of the number of changes in a bit string ("even pairs" of arXiv 2207.02098)."""

import numpy as np

from .strings import draw_symbols
from .task import Characters, Task, assemble


class EvenPairs(Task):
    """is the number of "01" and "10" in n bits odd? "00110=" -> "0", "0101=" -> "1".

    It is odd where the first and the last bit differ, so two reads are enough.
    """

    name = "even_pairs"
    vocabulary = "01="
    ideal_relations = ("j = 1", "i - j = 1")
    src_verdict = "constant: the first and the last bit decide."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        bits = draw_symbols(scale[0], 2, hard, rng)
        return assemble(bits + ord("0"), "="), (bits[:, :1] ^ bits[:, -1:]) + ord("0")

    def solve(self, bits: str) -> str:
        pairs = [bits[k : k + 2] for k in range(len(bits) - 1)]
        return str((pairs.count("01") + pairs.count("10")) % 2)
