"""Multiplication of a long number by one digit."""

import numpy as np

from .arithmetic import NumberTask, back, draw_number
from .digits import multiply
from .formats import Number, Piece, Symbol
from .integers import to_digits, to_integer
from .task import Characters, assemble


class MultiplicationDigit(NumberTask):
    """multiply n digits by one digit, least significant digit first: "321*4=" -> "2940" (123 * 4 = 0492).

    Digit k of the product needs digit k of the number, the factor, and the carry into it, which digits k - 1 of
    number and product determine: a carry is below the base, so it is the product digit minus what the factor makes
    of the number's digit, modulo the base.
    """

    name = "multiplication_digit"
    scale_rule = ((None, "*"),)
    delimiters = marks = "*="

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        if self.config.order == "plain" or not self.bare:
            return ()
        return back(1, 2), back(1, 3), "j = n + 2", "i - j = 0"

    @property
    def src_verdict(self) -> str:
        if self.config.order == "plain" and self.config.base == 2:
            return "unknown: a factor of one bit starts no carry; no relations have been written down."
        if self.config.order == "plain":
            return "growing: the first digit written depends on a carry that any of the n digits may start."
        if not self.bare:
            return "unknown: no relations have been written down for numbers with index hints or separators."
        return "constant: a digit needs two digits of the number, the factor and the digit just written."

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return Number("a", self.format), Symbol("factor", self.format.digits)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        return (Number("product", self.format),)

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        base, count = self.config.base, len(hard)
        a = self.lead(draw_number(scale[0], base, hard, rng), rng)
        factor = rng.integers(0, base, size=(count, 1), dtype=np.uint8)
        factor = np.where(hard[:, None] & (rng.random((count, 1)) < 0.5), np.uint8(base - 1), factor)
        start = self.draw_start(count, rng)
        product = multiply(self.widen(a), factor, base)
        return assemble(self.operand(a, start), "*", factor + ord("0"), "="), self.result(product, start)

    def solve(self, a: str, factor: str) -> dict[str, str]:
        self.check_operand(a)
        base = self.config.base
        return {"product": self.padded(to_digits(to_integer(a, base) * int(factor), base, len(a) + 1))}
