"""Evaluation of a polynomial modulo m, with and without the steps of Horner's rule."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .expressions import check_modulus
from .formats import Mark, Piece, Repeat, Symbol, Text
from .formatted import FormattedTask
from .strings import draw_symbols
from .task import Characters, TaskConfig, assemble


@dataclass(frozen=True)
class PolynomialConfig(TaskConfig):
    """Options of `polynomial`.

    Attributes:
        modulus: all numbers are taken modulo this, 2 to 10.
        cot: "horner": the answer is the value after every coefficient, ":" and the last one again; "none".
    """

    steps = "horner"
    modulus: int = 7
    cot: str = "horner"

    def validate(self) -> None:
        super().validate()
        check_modulus(self.modulus)


class Polynomial(FormattedTask):
    """a polynomial with n coefficients at x, modulo 7: "3142@2=" -> "3043:3" (3 x^3 + x^2 + 4 x + 2 = 38 at x = 2).

    Highest coefficient first. Horner's rule: every value is the one before times x plus the next coefficient. Without
    the values ("3142@2=" -> "3") the result depends on all coefficients at once.
    """

    name = "polynomial"
    Config = PolynomialConfig
    scale_rule = ((None, "@"),)
    config: PolynomialConfig
    delimiters = "@="

    @property
    def digits(self) -> str:
        return "0123456789"[: self.config.modulus]

    @property
    def vocabulary(self) -> str:
        return self.digits + ("@=:" if self.config.cot == "horner" else "@=")

    @property
    def final_separator(self) -> str | None:
        return ":" if self.config.cot == "horner" else None

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        return ("i - j = n + 2", "j = n + 2", "i - j = 0", "i - j = 1") if self.config.cot == "horner" else ()

    @property
    def src_verdict(self) -> str:
        if self.config.cot == "horner":
            return "constant: a step needs one coefficient, x and the value just written."
        return "growing: the only digit written depends on all n coefficients."

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return Text("coefficients", self.digits), Symbol("x", self.digits)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        result = Symbol("result", self.digits)
        if self.config.cot == "none":
            return (result,)
        return Repeat("steps", (Symbol("value", self.digits),)), Mark(":"), result

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        modulus, zero = self.config.modulus, ord("0")
        coefficients = draw_symbols(scale[0], modulus, hard, rng)
        x = rng.integers(0, modulus, size=len(hard), dtype=np.uint8)
        values = np.empty_like(coefficients)
        value = np.zeros_like(x)
        for place in range(scale[0]):
            value = (value * x + coefficients[:, place]) % np.uint8(modulus)
            values[:, place] = value
        prompts = assemble(coefficients + zero, "@", x[:, None] + zero, "=")
        last = values[:, -1:] + zero
        return prompts, assemble(values + zero, ":", last) if self.config.cot == "horner" else last

    def solve(self, coefficients: str, x: str) -> dict[str, Any]:
        value, values = 0, []
        for coefficient in coefficients:  # Python integers: nothing is taken modulo anything before the end
            value = value * int(x) + int(coefficient)
            values.append(str(value % self.config.modulus))
        if self.config.cot == "none":
            return {"result": values[-1]}
        return {"steps": [{"value": value} for value in values], "result": values[-1]}
