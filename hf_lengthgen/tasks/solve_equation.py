"""Solving an equation modulo m (task `solve_equation` of 2207.02098)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .expressions import check_modulus, draw_expressions, evaluate, evaluate_all
from .formats import Piece, Symbol, Text
from .formatted import FormattedTask
from .task import Characters, TaskConfig, assemble

_OPERATORS = "+-"  # with "*" an equation could have several solutions, or none


@dataclass(frozen=True)
class SolveEquationConfig(TaskConfig):
    """Options of `solve_equation`.

    Attributes:
        modulus: numbers are taken modulo this, 2 to 10.
    """

    modulus: int = 5

    def validate(self) -> None:
        super().validate()
        check_modulus(self.modulus)


class SolveEquation(FormattedTask):
    """find x in an equation modulo 5, its left side of n characters with brackets: "(2-(x+3))=3?" -> "1".

    Expressions as in `modular_arithmetic_brackets`, with + and - only: there is exactly one solution. Departures from
    2207.02098: the scale counts the left side alone (there the equals sign and the value too, so its length is
    n + 2), "?" ends the prompt, and x takes the place of any digit with equal chance (there of the next digit after a
    random character).
    """

    name = "solve_equation"
    Config = SolveEquationConfig
    config: SolveEquationConfig
    delimiters = "=?"
    src_verdict = "growing: the only digit written depends on all n characters."
    scale_rule = ((None, "="),)

    @property
    def digits(self) -> str:
        return "0123456789"[: self.config.modulus]

    @property
    def vocabulary(self) -> str:
        return self.digits + "+-()x=?"

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return Text("expression", self.digits + "+-()x"), Symbol("value", self.digits)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        return (Symbol("x", self.digits),)

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        codes = draw_expressions(scale[0], self.config.modulus, _OPERATORS, hard, rng)
        value = evaluate_all(codes, self.config.modulus)[:, None] + ord("0")
        digit = (codes >= ord("0")) & (codes <= ord("9"))
        number = np.cumsum(digit, axis=1)  # the digits of a row are numbered 1, 2, ...
        chosen = rng.integers(1, number[:, -1], endpoint=True) if len(hard) else np.zeros(0, dtype=np.int64)
        unknown = digit & (number == chosen[:, None])
        solution = codes[unknown][:, None]
        codes[unknown] = ord("x")
        return assemble(codes, "=", value, "?"), solution

    def solve(self, expression: str, value: str) -> dict[str, Any]:
        if expression.count("x") != 1:
            raise ValueError(f"an equation has one x, got {expression[:40]!r}")
        for x in self.digits:  # try them all
            if evaluate(expression.replace("x", x), _OPERATORS) % self.config.modulus == int(value):
                return {"x": x}
        raise AssertionError("x occurs once, added or subtracted: one of all values solves the equation")
