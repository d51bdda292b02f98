"""Sorting a string by the parity of the places ("odds first" of arXiv 2207.02098)."""

import numpy as np

from .strings import StringTask


class OddsFirst(StringTask):
    """write the 1st, 3rd, 5th, ... of n symbols and then the 2nd, 4th, ...: "abcde=" -> "acebd".

    This is the definition that the source states; its code has the even places first. (It uses binary strings:
    symbols="01".)

    The reads advance by two symbols a step. Where the second half begins depends on whether n is even, which
    the last relation tells: it finds a symbol at place n/2 or none.
    """

    name = "odds_first"
    ideal_relations = ("2i - j = 2n + 1", "2i - j = 3n", "2i - j = 3n + 1", "2j = n")
    src_verdict = (
        "constant: a read of stride 2 for each half (two for the second), and one that tells whether n is even."
    )

    def rewrite(self, symbols: np.ndarray) -> np.ndarray:
        return np.concatenate([symbols[:, 0::2], symbols[:, 1::2]], axis=1)

    def solve(self, string: str) -> str:
        odd = [symbol for place, symbol in enumerate(string, start=1) if place % 2]
        even = [symbol for place, symbol in enumerate(string, start=1) if not place % 2]
        return "".join(odd + even)
