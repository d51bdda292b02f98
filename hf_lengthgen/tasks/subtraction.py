"""Subtraction of two numbers, digits least significant first."""

import numpy as np

from .arithmetic import NumberTask, rhythm_relations
from .digits import subtract
from .formats import Number, Piece
from .integers import to_digits, to_integer
from .task import Characters, assemble


class Subtraction(NumberTask):
    """subtract the smaller of two n-digit numbers from the larger, least significant digit first: "213-542=" -> "760".

    (312 - 245 = 067.) The first operand is at least the second one, so no sign is needed. Digit k needs digits k of
    both operands and the borrow into it, which digits k - 1 of the operands and of the difference determine.
    """

    name = "subtraction"
    scale_rule = ((None, "-"),)
    delimiters = marks = "-="

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        if self.config.order == "plain" or self.config.padding == "none":
            return ()
        return rhythm_relations(self.format)

    @property
    def src_verdict(self) -> str:
        if self.config.order == "plain":
            return "growing: the first digit written depends on a borrow that any of the n digits may start."
        if self.config.padding == "none":
            return "growing: where the leading zeros begin depends on all digits above."
        return "constant: a digit needs two columns of the operands and the digit just written."

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return Number("a", self.format), Number("b", self.format)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        return (Number("difference", self.format),)

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        base = self.config.base
        a, b = draw_terms(scale[0], base, hard, rng)
        start = self.draw_start(len(hard), rng)
        a, b = self.lead(a, rng), self.lead(b, rng)
        swap = subtract(a, b, base)[1][:, None]
        a, b = np.where(swap, b, a), np.where(swap, a, b)
        difference = self.widen(subtract(a, b, base)[0])
        return assemble(self.operand(a, start), "-", self.operand(b, start), "="), self.result(difference, start)

    def solve(self, a: str, b: str) -> dict[str, str]:
        if len(a) != len(b):
            raise ValueError(f"operands have {len(a)} and {len(b)} digits, but need equally many; pad with zeros")
        self.check_operand(a)
        self.check_operand(b)
        base = self.config.base
        difference = to_integer(a, base) - to_integer(b, base)
        if difference < 0:
            raise ValueError("the first operand is the smaller one; the difference would be negative")
        return {"difference": self.padded(to_digits(difference, base, len(a)))}


def draw_terms(n: int, base: int, hard: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Digits of two numbers to be subtracted, both (len(hard), n), in either order.

    Easy rows are uniform. A hard row is, with equal chance,
    0. full of borrows: a borrow starts at digit 0, and columns are equal (which passes it on) with a probability
       drawn per row;
    1. one borrow through the whole number (100..0 - 1);
    2. a second number with leading zeros;
    3. two equal numbers.

    With padding="none" a leading zero is replaced afterwards, which ends most of these borrows.
    """
    count = len(hard)
    a, b = (rng.integers(0, base, size=(count, n), dtype=np.uint8) for _ in range(2))
    kind = np.where(hard, rng.integers(0, 4, size=count), -1)

    chain = np.flatnonzero(kind == 0)
    passes = rng.random((len(chain), n)) < rng.random(len(chain))[:, None]
    b[chain] = np.where(passes, a[chain], b[chain])
    whole = np.flatnonzero(kind == 1)
    a[whole], b[whole] = 0, 0
    for rows in (chain, whole):
        if n > 1:  # the top digit decides which number is larger
            b[rows, -1] = rng.integers(0, base - 1, size=len(rows), dtype=np.uint8) * (kind[rows] == 0)
            a[rows, -1] = b[rows, -1] + 1
        a[rows, 0] = rng.integers(0, base - 1, size=len(rows), dtype=np.uint8) * ((kind[rows] == 0) | (n == 1))
        b[rows, 0] = a[rows, 0] + 1

    short = np.flatnonzero(kind == 2)
    b[short] *= np.arange(n) < rng.integers(0, n, size=len(short))[:, None]
    equal = kind == 3
    b[equal] = a[equal]
    return a, b
