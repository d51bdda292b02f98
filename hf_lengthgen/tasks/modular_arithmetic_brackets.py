"""Modular arithmetic with brackets (task `modular_arithmetic_brackets` of 2207.02098)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .expressions import check_modulus, draw_expressions, evaluate, evaluate_all
from .formats import Piece, Symbol, Text
from .formatted import FormattedTask
from .modular_arithmetic import check_operators
from .task import Characters, TaskConfig, assemble


@dataclass(frozen=True)
class ModularArithmeticBracketsConfig(TaskConfig):
    """Options of `modular_arithmetic_brackets`.

    Attributes:
        modulus: numbers are taken modulo this, 2 to 10.
        operators: those that occur, some of "+-*"; the paper has "+-".
    """

    modulus: int = 5
    operators: str = "+-"

    def validate(self) -> None:
        super().validate()
        check_modulus(self.modulus)
        check_operators(self.operators, "+-*")


class ModularArithmeticBrackets(FormattedTask):
    """the value modulo 5 of an expression of n characters with brackets: "(2-(1+3))=" -> "3" (-2).

    The definition of 2207.02098: every operation has its brackets, and an operand may also be -d, (d) or (-d).
    """

    name = "modular_arithmetic_brackets"
    Config = ModularArithmeticBracketsConfig
    config: ModularArithmeticBracketsConfig
    src_verdict = "growing: the only digit written depends on all n characters."

    @property
    def digits(self) -> str:
        return "0123456789"[: self.config.modulus]

    @property
    def vocabulary(self) -> str:
        return self.digits + self._signs + "()="

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return (Text("expression", self.digits + self._signs + "()"),)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        return (Symbol("result", self.digits),)

    @property
    def _signs(self) -> str:
        return self.config.operators + ("" if "-" in self.config.operators else "-")

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        codes = draw_expressions(scale[0], self.config.modulus, self.config.operators, hard, rng)
        return assemble(codes, "="), assemble(evaluate_all(codes, self.config.modulus)[:, None] + ord("0"))

    def solve(self, expression: str) -> dict[str, Any]:
        return {"result": str(evaluate(expression, self.config.operators) % self.config.modulus)}
