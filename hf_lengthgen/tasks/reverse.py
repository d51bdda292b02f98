"""Reversing a string."""

import numpy as np

from .strings import StringTask


class Reverse(StringTask):
    """reverse a string of n symbols: "abcd=" -> "dcba".

    Position i predicts the symbol at 2n + 1 - i, a mirror; the last symbol of the answer is mirrored onto
    <bos>, which says that the answer is complete.
    """

    name = "reverse"
    ideal_relations = ("i + j = 2n + 1",)
    src_verdict = "constant: one mirrored read, i + j = 2n + 1."

    def rewrite(self, symbols: np.ndarray) -> np.ndarray:
        return symbols[:, ::-1]

    def solve(self, string: str) -> str:
        return string[::-1]
