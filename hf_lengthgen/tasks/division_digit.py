"""Division of a long number by one digit, with and without remainders written in between."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arithmetic import NumberConfig, NumberTask, back, draw_number
from .digits import divide_by_digit
from .formats import Mark, Number, Piece, Repeat, Symbol, pack_left
from .integers import to_digits, to_integer
from .task import Characters, assemble


@dataclass(frozen=True)
class DivisionDigitConfig(NumberConfig):
    """Options of `division_digit`: those of NumberConfig, with the most significant digit first, and

    Attributes:
        cot: "pairs": the answer is a quotient digit and the remainder after it, n times; "none": quotient, ":" and
            remainder.
    """

    steps = "pairs"
    order: str = "plain"
    cot: str = "pairs"

    def validate(self) -> None:
        super().validate()
        if self.cot == "pairs":
            self.need_plain_numbers("cot='pairs'", order="plain")


class DivisionDigit(NumberTask):
    """divide n digits by one digit, most significant digit first: "735/2=" -> "316171" (pairs 31, 61, 71: 367, rest 1).

    Each pair is a quotient digit and what remains after it. A quotient digit needs the remainder just written, the
    next digit of the dividend, two tokens of the answer for one of the prompt (hence i - 2j), and the divisor. The
    remainder after it needs the same three: remainder times base plus digit exceeds divisor times quotient digit by
    less than the divisor, which is less than the base, so only one remainder before fits.

    For the same reason the pairs may be left out ("735/2=" -> "367:1"): quotient and dividend, a few digits back,
    show the remainder that is written nowhere.
    """

    name = "division_digit"
    Config = DivisionDigitConfig
    scale_rule = ((None, "/"),)
    config: DivisionDigitConfig
    delimiters = "/="

    @property
    def marks(self) -> str:
        return "/=" if self.config.cot == "pairs" else "/=:"

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        if self.config.cot == "pairs":
            # Quotient digit k is predicted at n + 3 + 2k and its remainder one place later: digit k is at k + 1.
            return "i - 2j = n + 1", "i - 2j = n + 2", "j = n + 2", "i - j = 0"
        if self.config.order == "reversed" or not self.bare or self.config.padding == "none":
            return ()
        return back(1, 2), back(1, 3), back(1, 4), "j = n + 2", "i - j = 1"

    @property
    def src_verdict(self) -> str:
        if self.config.order == "reversed" and self.config.base == 2:
            return "unknown: a divisor of one bit leaves no remainder; no relations have been written down."
        if self.config.order == "reversed":
            return "growing: the last digit of a quotient, written first, depends on all digits of the dividend."
        if not self.ideal_relations:
            return "unknown: no relations have been written down for this format."
        if self.config.cot == "pairs":
            return "constant: a step needs the remainder just written, one digit of the dividend and the divisor."
        return "constant: a digit needs two digits of the dividend, the divisor and the digit just written."

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return Number("dividend", self.format), Symbol("divisor", self.format.digits)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        digits = self.format.digits
        if self.config.cot == "pairs":
            return (Repeat("steps", (Symbol("quotient", digits), Symbol("remainder", digits))),)
        return Number("quotient", self.format), Mark(":"), Symbol("remainder", digits)

    def final(self, answer: str) -> str:
        """Quotient, ":" and remainder: "316171" -> "367:1"."""
        return f"{answer[::2]}:{answer[-1:]}" if self.config.cot == "pairs" else answer

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        base, count, zero = self.config.base, len(hard), ord("0")
        a = self.lead(draw_number(scale[0], base, hard, rng), rng)
        divisor = rng.integers(1, base, size=count, dtype=np.uint8)
        start = self.draw_start(count, rng)
        quotient, rests = divide_by_digit(self.widen(a), divisor, base)
        prompts = assemble(self.operand(a, start), "/", divisor[:, None] + zero, "=")
        if self.config.cot == "pairs":
            pairs = np.stack([quotient, rests], axis=2)[:, ::-1] + np.uint8(zero)
            return prompts, pairs.reshape(count, 2 * quotient.shape[1])
        return prompts, pack_left(assemble(self.result(quotient, start), ":", rests[:, :1] + zero))

    def solve(self, dividend: str, divisor: str) -> dict[str, Any]:
        self.check_operand(dividend)
        base, n, d = self.config.base, len(dividend), int(divisor)
        if d == 0:
            raise ValueError("the divisor is 0")
        number = to_integer(dividend, base)
        if self.config.cot == "none":
            return {"quotient": self.padded(to_digits(number // d, base, n)), "remainder": str(number % d)}
        # By definition: the remainder after the first k digits is that of the number they form.
        quotient, rest, steps = to_digits(number // d, base, n)[::-1], 0, []
        for digit, known in zip(quotient, reversed(dividend), strict=True):
            rest = (rest * base + int(known)) % d
            steps.append({"quotient": digit, "remainder": str(rest)})
        return {"steps": steps}
