"""Modular arithmetic without brackets (task `modular_arithmetic` of 2207.02098)."""

import re
import string
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import Any

import numpy as np

from .expressions import check_modulus
from .formats import Mark, Piece, Repeat, Symbol, Text
from .formatted import FormattedTask
from .strings import draw_symbols
from .task import Characters, TaskConfig, assemble, character_codes

_TERMS = string.ascii_lowercase[:10]


@dataclass(frozen=True)
class ModularArithmeticConfig(TaskConfig):
    """Options of `modular_arithmetic`.

    Attributes:
        modulus: numbers are taken modulo this, 2 to 10.
        operators: those that occur, some of "+-*".
        cot: "running": after every operand the sum of the terms before the current one, and the current term as a
            letter (a = 0, b = 1, ...), then ":" and the result; "none".
    """

    steps = "running"
    modulus: int = 5
    operators: str = "+-*"
    cot: str = "none"

    def validate(self) -> None:
        super().validate()
        check_modulus(self.modulus)
        check_operators(self.operators, "+-*")


def check_operators(operators: str, allowed: str) -> None:
    """Raise ValueError unless `operators` holds some of the allowed ones, each once."""
    if not operators or set(operators) - set(allowed) or len(set(operators)) < len(operators):
        raise ValueError(f"option 'operators' must hold some of {allowed!r}, each once, got {operators!r}")


class ModularArithmetic(FormattedTask):
    """the value modulo 5 of an expression of n characters, products first: "1-2*3=" -> "0" (-5).

    The definition of 2207.02098, but there an even length is cut to the odd one below; here it begins with a minus
    sign ("-2*3=" -> "4"). With cot="running" the answer is "0b1d1e:0": after every operand the sum of the finished
    terms and the current term with its sign, both modulo 5, terms as letters.
    """

    name = "modular_arithmetic"
    Config = ModularArithmeticConfig
    config: ModularArithmeticConfig

    @property
    def digits(self) -> str:
        return "0123456789"[: self.config.modulus]

    @property
    def vocabulary(self) -> str:
        signs = self.config.operators + ("" if "-" in self.config.operators else "-")
        return self.digits + signs + "=" + (f"{_TERMS[: self.config.modulus]}:" if self.config.cot != "none" else "")

    @property
    def final_separator(self) -> str | None:
        return ":" if self.config.cot == "running" else None

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        if self.config.cot == "none":
            return ()
        # Two characters of the answer for two of the prompt; an even length shifts operand and operator by one.
        return "i - j = n", "i - j = n + 1", "i - j = n + 2", "i - j = 0", "i - j = 1", "i - j = 2"

    @property
    def src_verdict(self) -> str:
        if self.config.cot == "running":
            return "constant: a step needs one operand, the operator before it, and the sum and term just written."
        return "growing: the only digit written depends on all n characters."

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return (Text("expression", self.digits + "+-*"),)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        result = Symbol("result", self.digits)
        if self.config.cot == "none":
            return (result,)
        step = Symbol("sum", self.digits), Symbol("term", _TERMS[: self.config.modulus])
        return Repeat("steps", step), Mark(":"), result

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        (n,), count, modulus = scale, len(hard), self.config.modulus
        terms = (n + 1) // 2
        operands = draw_symbols(terms, modulus, hard, rng)
        signs = np.full((count, terms), ord("+" if n % 2 else "-"), dtype=np.uint8)  # what stands before an operand
        operators = character_codes(self.config.operators)
        signs[:, 1:] = operators[draw_symbols(terms, len(operators), hard, rng)[:, 1:]]
        codes = np.stack([signs, operands + np.uint8(ord("0"))], axis=2).reshape(count, 2 * terms)[:, n % 2 :]

        steps = np.empty((count, terms, 2), dtype=np.uint8)
        total, term = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        for place in range(terms):
            sign, operand = signs[:, place], operands[:, place].astype(np.int64)
            times = sign == ord("*")
            total = np.where(times, total, (total + term) % modulus)
            term = np.where(times, term * operand, np.where(sign == ord("-"), -operand, operand)) % modulus
            steps[:, place, 0], steps[:, place, 1] = total, term
        result = ((total + term) % modulus)[:, None] + ord("0")
        if self.config.cot == "none":
            return assemble(codes, "="), result.astype(np.uint8)
        steps[:, :, 0] += np.uint8(ord("0"))
        steps[:, :, 1] = character_codes(_TERMS)[steps[:, :, 1]]
        return assemble(codes, "="), assemble(steps.reshape(count, 2 * terms), ":", result)

    def solve(self, expression: str) -> dict[str, Any]:
        operators = self.config.operators  # those between digits; a minus sign may always stand in front
        if not re.fullmatch(rf"-?\d([{re.escape(operators)}]\d)*", expression):
            raise ValueError(
                f"{expression[:40]!r} is not digits with an operator between each two (operators={operators!r})"
            )
        modulus, total, steps = self.config.modulus, 0, []
        for term in re.findall(r"[-+]?\d(?:\*\d)*", expression):
            sign, factors = (-1 if term[0] == "-" else 1), [int(c) for c in term if c.isdigit()]
            products = list(accumulate([sign * factors[0], *factors[1:]], mul))
            steps += [{"sum": str(total % modulus), "term": _TERMS[product % modulus]} for product in products]
            total += products[-1]
        result = {"result": str(total % modulus)}
        return result if self.config.cot == "none" else {"steps": steps, **result}
