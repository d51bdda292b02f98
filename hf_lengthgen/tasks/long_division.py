"""Long division of two numbers, with and without remainders written in between."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arithmetic import NumberConfig, NumberTask, draw_divisor, draw_number
from .digits import divide, multiply
from .formats import Mark, Number, Piece, Repeat, Symbol, pack_left
from .integers import to_digits, to_integer
from .task import Characters, assemble


@dataclass(frozen=True)
class LongDivisionConfig(NumberConfig):
    """Options of `long_division`: those of NumberConfig, with the most significant digit first, and

    Attributes:
        cot: "none": quotient, ":" and remainder; "rows": for each digit of the dividend the quotient digit, ":", the
            remainder after it, and ";".
    """

    steps = "rows"
    order: str = "plain"
    cot: str = "none"

    def validate(self) -> None:
        super().validate()
        if self.cot == "rows":
            self.need_plain_numbers("cot='rows'", order="plain")


class LongDivision(NumberTask):
    """divide n0 digits by n1 digits, most significant digit first: "735/12=" -> "061:03" (735 = 61 * 12 + 3).

    The quotient has as many digits as the dividend, the remainder as many as the divisor. With cot="rows" the
    remainders on the way are written too: "735/12=" -> "0:07;6:01;1:03;".
    """

    name = "long_division"
    Config = LongDivisionConfig
    config: LongDivisionConfig
    delimiters = "/="

    @property
    def marks(self) -> str:
        return "/=:" if self.config.cot == "none" else "/=:;"

    @property
    def src_verdict(self) -> str:
        return "growing: a quotient digit depends on all digits of the divisor and of what is left to divide."

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return Number("dividend", self.format), Number("divisor", self.format)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        remainder = Mark(":"), Number("remainder", self.format)
        if self.config.cot == "rows":
            return (Repeat("rows", (Symbol("quotient", self.format.digits), *remainder, Mark(";"))),)
        return Number("quotient", self.format), *remainder

    def final(self, answer: str) -> str:
        """Quotient, ":" and remainder: "0:07;6:01;1:03;" -> "061:03"."""
        if self.config.cot == "none":
            return answer
        rows = answer.split(";")[:-1]
        return "".join(row[:1] for row in rows) + ":" + (rows[-1].partition(":")[2] if rows else "")

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        base, count, (n, m) = self.config.base, len(hard), scale
        a, b = draw_number(n, base, hard, rng), self.lead(draw_divisor(m, base, hard, rng), rng)
        if n > m:  # some divisions without remainder; padding="none" replaces leading zeros, which undoes most of them
            exact = np.flatnonzero(hard & (rng.random(count) < 0.25))
            a[exact] = multiply(draw_number(n - m, base, hard[exact], rng), b[exact], base)
        a, start = self.lead(a, rng), self.draw_start(count, rng)
        wide_a, wide_b = self.widen(a), self.widen(b)
        prompts = assemble(self.format.encode(wide_a, start), "/", self.format.encode(wide_b, start), "=")
        if self.config.cot == "none":
            quotient, rest = divide(wide_a, wide_b, base)
            return prompts, pack_left(assemble(self.result(quotient, start), ":", self.result(rest, start)))
        steps = np.empty((count, n, m), dtype=np.uint8)
        quotient, _ = divide(a, b, base, steps)
        zero = np.uint8(ord("0"))
        rows = np.empty((count, n, m + 3), dtype=np.uint8)
        rows[:, :, 0], rows[:, :, 1], rows[:, :, -1] = quotient[:, ::-1] + zero, ord(":"), ord(";")
        rows[:, :, 2:-1] = steps[:, ::-1, ::-1] + zero
        return prompts, rows.reshape(count, math.prod(rows.shape[1:]))

    def solve(self, dividend: str, divisor: str) -> dict[str, Any]:
        self.check_operand(dividend)
        self.check_operand(divisor)
        base, n, m = self.config.base, len(dividend), len(divisor)
        number, d = to_integer(dividend, base), to_integer(divisor, base)
        if d == 0:
            raise ValueError("the divisor is 0")
        quotient = to_digits(number // d, base, n)
        if self.config.cot == "none":
            return {"quotient": self.padded(quotient), "remainder": self.padded(to_digits(number % d, base, m))}
        rows, first = [], 0
        for k in reversed(range(n)):  # by definition: what is left of the number that the first digits form
            first = first * base + int(dividend[k])
            rows.append({"quotient": quotient[k], "remainder": to_digits(first % d, base, m)})
        return {"rows": rows}
