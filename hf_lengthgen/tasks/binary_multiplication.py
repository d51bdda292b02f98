"""Multiplication of two binary numbers in one string (task `binary_multiplication` of 2207.02098)."""

import numpy as np

from .binary_addition import BinaryTask
from .digits import multiply


class BinaryMultiplication(BinaryTask):
    """multiply two binary numbers, least significant bit first, n characters in all: "001*01101=" -> "0001101" (88).

    The definition of 2207.02098: the lengths of the numbers vary, neither is 0, and the result has no leading zeros.
    There it is followed by a stop symbol and zeros; here <eos> stops it. Up to two characters are one number; the
    result is then 0 (there: nothing for one character, 0 for two).
    """

    name = "binary_multiplication"
    sign = "*"
    src_verdict = "growing: a digit of the product depends on all digits of both numbers."

    def compute(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return multiply(a, b, 2)

    def result(self, a: int, b: int) -> int:
        return a * b
