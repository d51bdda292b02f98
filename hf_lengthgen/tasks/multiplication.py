"""Multiplication of two long numbers, without and with a tape-rewriting chain of thought."""

import math
import string
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arithmetic import draw_number
from .digits import multiply, normalise
from .formats import Mark, Number, Piece, Repeat, Symbol, Text
from .integers import to_digits, to_integer
from .task import Characters, assemble, character_codes
from .two_numbers import TwoNumbersConfig, TwoNumbersTask

_COPIES, _CARRIES = string.ascii_lowercase[:10], string.ascii_uppercase[:10]  # digits of their own, see below
_BLANK = "_"


@dataclass(frozen=True)
class MultiplicationConfig(TwoNumbersConfig):
    """Options of `multiplication`: those of TwoNumbersConfig, and

    Attributes:
        cot: "none", or "tape": the answer rewrites a tape of 9n + 2 characters n times.
    """

    steps = "tape"
    cot: str = "none"

    def validate(self) -> None:
        super().validate()
        if self.cot == "tape":
            self.need_plain_numbers("cot='tape'", order="reversed")
            if self.widths != "equal":
                raise ValueError("cot='tape' needs widths='equal'")


class Multiplication(TwoNumbersTask):
    """multiply two numbers, least significant digit first: "21*43=" -> "8040" (12 * 34 = 0408).

    The product has as many digits as both operands together. Its middle digits depend on all digits of both, so no
    fixed set of relations is enough: a control that no position embedding can solve.

    With cot="tape" the prompt is a row of a tape and the answer n more rows (formulation of this package). A row is
    what is left of b, "|", four characters for each of the 2n columns, and a closing mark, "=" in the prompt and ";"
    in the answer. In the prompt a column holds a digit of a, or 0, and three blanks "_". In row k it holds the digit
    of a shifted k places, the digit b_k, the carry into the column, and the running sum; the last row's sums are the
    product. b_k and carry are written as letters (a and A for 0, b and B for 1, ...), so that a character shows which
    of the four it is; blanks follow what is left of b. 12 * 34 = 408 is

        43|2___1___0___0___=43|2eA81eA40eA00eA0;3_|0dA82dA01dB40dA0;

    Every character is a function of a few others at distances c * n + d: the row above, in the same place or one
    column before, which of the two being shown by the blanks; the column just written; and b_k in front of the row.
    """

    name = "multiplication"
    Config = MultiplicationConfig
    config: MultiplicationConfig

    @property
    def tape(self) -> bool:
        return self.config.cot == "tape"

    @property
    def delimiters(self) -> str:
        return "|=" if self.tape else "*="

    @property
    def marks(self) -> str:
        base = self.config.base
        return f"{_COPIES[:base]}{_CARRIES[:base]}{_BLANK}|=;" if self.tape else "*="

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        if not self.tape:
            return ()
        above = "i - j = 9n + 1"  # the same place in the row above
        before = "i - j = 9n + 5"  # the same place one column before, in the row above
        after = "i - j = 9n"  # the place after it in the row above: what is left of b, or a blank
        blanks = "i - j = 8n", "i - j = 8n - 1"  # from what is left of b into the columns of the row above
        digit = "i - j = n + 1"  # b_k, from the first column
        column = tuple(f"i - j = {d}" for d in (0, 1, 2, 3, 5))
        return above, before, after, *blanks, digit, *column

    @property
    def src_verdict(self) -> str:
        if self.tape:
            return "constant: each character needs the row above at one place, the column before and its own."
        return "growing: a digit of the product depends on up to n digits of each operand."

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        if not self.tape:
            return Number("a", self.format), Number("b", self.format)
        digits = self.format.digits
        return Text("b", digits), Repeat("columns", (Symbol("a", digits), Mark(3 * _BLANK)))

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        if not self.tape:
            return (Number("product", self.format),)
        digits, base = self.format.digits, self.config.base
        column = (
            Symbol("a", digits),
            Symbol("b", _COPIES[:base]),
            Symbol("carry", _CARRIES[:base]),
            Symbol("sum", digits),
        )
        return (Repeat("rows", (Text("rest", digits + _BLANK), Mark("|"), Repeat("columns", column), Mark(";"))),)

    def final(self, answer: str) -> str:
        """The product: with the tape, the sums in the last row."""
        return answer[:-1].rpartition("|")[2][3::4] if self.tape else answer

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        base, n, m = self.config.base, scale[0], scale[-1]
        start = self.draw_start(len(hard), rng)
        a, b = (self.lead(draw_number(width, base, hard, rng), rng) for width in (n, m))
        if n == m:
            b = np.where(hard[:, None] & (rng.random((len(hard), 1)) < 0.2), a, b)  # squares
        if self.tape:
            return self._tape(a, b)
        product = multiply(a, b, base)
        missing = self.columns(n) + self.columns(m) - n - m
        if missing:
            product = np.pad(product, ((0, 0), (0, missing)))
        return assemble(self.operand(a, start), "*", self.operand(b, start), "="), self.result(product, start)

    def _tape(self, a: np.ndarray, b: np.ndarray) -> Characters:
        (count, n), base, zero = a.shape, self.config.base, ord("0")
        shifted = np.zeros((count, n, 2 * n), dtype=np.uint8)
        for k in range(n):
            shifted[:, k, k : k + n] = a
        products = shifted * b[:, :, None]
        sums = normalise(np.cumsum(products, axis=1, dtype=np.int64), base)
        above = np.concatenate([np.zeros_like(sums[:, :1]), sums[:, :-1]], axis=1)
        # sum = above + product + carry, modulo the base, and a carry is below the base.
        carries = (sums.astype(np.int64) - above - products) % base
        copies = character_codes(_COPIES)[b][:, :, None]
        tape = np.empty((count, n, 9 * n + 2), dtype=np.uint8)
        for k in range(n):
            tape[:, k, : n - k] = b[:, k:] + zero
            tape[:, k, n - k : n] = ord(_BLANK)
        tape[:, :, n] = ord("|")
        tape[:, :, n + 1 : -1 : 4] = shifted + zero
        tape[:, :, n + 2 : -1 : 4] = copies
        tape[:, :, n + 3 : -1 : 4] = character_codes(_CARRIES)[carries]
        tape[:, :, n + 4 : -1 : 4] = sums + zero
        tape[:, :, -1] = ord(";")
        columns = np.full((count, 8 * n), ord(_BLANK), dtype=np.uint8)
        columns[:, ::4] = shifted[:, 0] + zero
        return assemble(b + zero, "|", columns, "="), tape.reshape(count, math.prod(tape.shape[1:]))

    def solve(self, *fields: Any) -> dict[str, Any]:
        if self.tape:
            return self._rewritten(*fields)
        a, b = fields
        self.check_operands(a, b)
        base = self.config.base
        product = to_integer(a, base) * to_integer(b, base)
        return {"product": self.padded(to_digits(product, base, len(a) + len(b)))}

    def _rewritten(self, b: str, columns: list[dict[str, str]]) -> dict[str, Any]:
        """The rows of the tape, from Python integers: sums are digits of a times the lowest digits of b."""
        n, base = len(b), self.config.base
        padded = "".join(column["a"] for column in columns)
        if len(padded) != 2 * n or padded[n:].strip("0"):
            raise ValueError(f"a tape for {n} digits has {2 * n} columns, the upper {n} of them 0")
        a, rows, above = padded[:n], [], "0" * (2 * n)
        number = to_integer(a, base)
        for k, digit in enumerate(b):
            sums = to_digits(number * to_integer(b[: k + 1], base), base, 2 * n)
            row, carry = [], 0
            for known, before, after in zip(("0" * k + padded)[: 2 * n], above, sums, strict=True):
                cells = {"a": known, "b": _COPIES[int(digit)], "carry": _CARRIES[carry], "sum": after}
                row.append(cells)
                carry = (int(before) + int(known) * int(digit) + carry) // base
            rows.append({"rest": b[k:] + _BLANK * k, "columns": row})
            above = sums
        return {"rows": rows}
