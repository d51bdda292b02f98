"""The integer square root (task `compute_sqrt` of 2207.02098)."""

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from .arithmetic import NumberConfig, NumberTask, draw_number
from .digits import multiply, square_root, subtract
from .formats import Number, Piece
from .integers import to_digits, to_integer
from .task import Characters, assemble


@dataclass(frozen=True)
class SquareRootConfig(NumberConfig):
    """Options of `square_root`: those of NumberConfig, with the most significant digit first."""

    order: str = "plain"


class SquareRoot(NumberTask):
    """the floor of the square root of n digits, most significant digit first: "0735=" -> "27" (27 * 27 = 729).

    The root has half as many digits, rounded up. The definition of 2207.02098, with base=2 and padding="equal"; there
    the number 0 never occurs, here it may, and half of the hard rows are perfect
    squares or one less (with padding="none" a leading zero is then replaced, which undoes most of these).
    """

    name = "square_root"
    Config = SquareRootConfig
    config: SquareRootConfig
    delimiters = marks = "="

    @property
    def src_verdict(self) -> str:
        return "growing: a digit of the root depends on all digits of the number that stand above twice its place."

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return (Number("number", self.format),)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        return (Number("root", self.format),)

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        base, n = self.config.base, scale[0]
        digits = draw_number(n, base, hard, rng)
        if n > 1:
            rows = np.flatnonzero(hard & (rng.random(len(hard)) < 0.5))
            root = rng.integers(0, base, size=(len(rows), n // 2), dtype=np.uint8)
            square = multiply(root, root, base)
            one = np.zeros_like(square)
            one[:, 0] = root.any(axis=1) & (rng.random(len(rows)) < 0.5)
            digits[rows] = 0
            digits[rows, : square.shape[1]] = subtract(square, one, base)[0]
        start = self.draw_start(len(hard), rng)
        digits = self.lead(digits, rng)
        root = square_root(self.widen(digits), base)
        return assemble(self.operand(digits, start), "="), self.result(root, start)

    def solve(self, number: str) -> dict[str, Any]:
        self.check_operand(number)
        base = self.config.base
        root = isqrt(to_integer(number, base))
        return {"root": self.padded(to_digits(root, base, (len(number) + 1) // 2))}
