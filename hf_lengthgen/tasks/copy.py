"""Copying a string (studied in arXiv 2402.01032 and 2305.19466)."""

import numpy as np

from .strings import StringTask


class Copy(StringTask):
    """repeat a string of n symbols: "abca=" -> "abca".

    The "=" at position n + 1 predicts symbol 1, and so on: the symbol to write always lies n positions back.
    The last symbol of the answer looks back at the "=", which says that the answer is complete.
    """

    name = "copy"
    ideal_relations = ("i - j = n",)
    src_verdict = "constant: every symbol is read n places back."

    def rewrite(self, symbols: np.ndarray) -> np.ndarray:
        return symbols

    def solve(self, string: str) -> str:
        return string
