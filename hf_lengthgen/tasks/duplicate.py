"""Writing a string twice ("duplicate string" of arXiv 2207.02098)."""

import numpy as np

from .strings import StringTask


class Duplicate(StringTask):
    """write a string of n symbols twice: "abca=" -> "abcaabca".

    The first copy reads n places back, the second 2n; where the second relation finds a symbol, that one counts,
    and where it finds "=" the answer is complete. (The source uses binary strings: symbols="01".)
    """

    name = "duplicate"
    ideal_relations = ("i - j = n", "i - j = 2n")
    src_verdict = "constant: every symbol is read n or 2n places back."

    def rewrite(self, symbols: np.ndarray) -> np.ndarray:
        return np.concatenate([symbols, symbols], axis=1)

    def solve(self, string: str) -> str:
        return string + string
