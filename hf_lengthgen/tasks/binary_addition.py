"""Addition of two binary numbers in one string (task `binary_addition` of 2207.02098)."""

from typing import Any

import numpy as np

from .addition import add_digits
from .arithmetic import draw_number
from .digits import significant
from .formats import NumberFormat, Piece, Text
from .formatted import FormattedTask
from .integers import strip_zeros, to_digits, to_integer
from .task import Characters, assemble

_FORMAT = NumberFormat(base=2)


class BinaryTask(FormattedTask):
    """Two binary numbers with a sign between them, n characters in all; the sign stands anywhere.

    A subclass gives the `sign` and what to do: `compute`, on arrays, and `result`, on Python integers.
    """

    sign: str
    src_verdict = "growing: where the second number starts differs from row to row; n does not tell."

    @property
    def vocabulary(self) -> str:
        return f"01{self.sign}="

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return (Text("input", f"01{self.sign}"),)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        return (Text("result", "01"),)

    def compute(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Digits of the results: (count, w) each -> (count, at least w)."""
        raise NotImplementedError

    def result(self, a: int, b: int) -> int:
        raise NotImplementedError

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        (n,), count, row = scale, len(hard), np.arange(len(hard))
        bits = draw_number(n, 2, hard, rng)
        if n <= 2:
            return assemble(bits + ord("0"), "="), self._written(self.compute(bits, np.zeros_like(bits)), n)
        column = np.arange(n)
        place = rng.integers(1, n - 1, size=count)  # of the sign
        for first, last in ((np.zeros_like(place), place), (place + 1, np.full_like(place, n))):
            inside = (column >= first[:, None]) & (column < last[:, None])
            bits[row, first] |= ~(bits & inside).any(axis=1)  # no number is 0
        a = bits * (column < place[:, None])
        shifted = np.minimum(column + place[:, None] + 1, n - 1)
        b = np.take_along_axis(bits, shifted, axis=1) * (column + place[:, None] + 1 < n)
        prompts = bits + np.uint8(ord("0"))
        prompts[row, place] = ord(self.sign)
        return assemble(prompts, "="), self._written(self.compute(a, b), n)

    def _written(self, digits: np.ndarray, n: int) -> np.ndarray:
        return _FORMAT.encode(digits[:, :n], sizes=significant(digits))

    def solve(self, text: str) -> dict[str, Any]:
        a, sign, b = text.partition(self.sign)
        if len(text) <= 2:
            if sign:
                raise ValueError(f"{text!r} is too short for two numbers and {self.sign!r}")
            b = "0"
        elif not a or not b or self.sign in b:
            raise ValueError(f"{text[:40]!r} is not two binary numbers with {self.sign!r} between them")
        elif "1" not in a or "1" not in b:
            raise ValueError(f"neither number is 0, but {text[:40]!r} has one that is")
        result = self.result(to_integer(a, 2), to_integer(b, 2))
        return {"result": strip_zeros(to_digits(result, 2, max(1, result.bit_length())))}


class BinaryAddition(BinaryTask):
    """add two binary numbers, least significant bit first, n characters in all: "001+01101=" -> "01011" (4 + 22 = 26).

    The definition of 2207.02098: the lengths of the numbers vary, neither is 0, and the result has no leading zeros.
    There it is followed by a stop symbol and zeros; here <eos> stops it. Up to two characters are one number, which
    is the result, as there. For addition with both lengths as hints see `addition`, base=2, widths="unequal".
    """

    name = "binary_addition"
    sign = "+"

    def compute(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return add_digits(a, b, 2)

    def result(self, a: int, b: int) -> int:
        return a + b
