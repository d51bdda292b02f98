"""Addition of several numbers; the scale may be operand length x operand count (2410.15787)."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arithmetic import NumberConfig, NumberTask, back, draw_number
from .digits import normalise
from .formats import Number, Piece, Repeat
from .integers import to_digits, to_integer
from .task import Characters, Scale, ScaleRule, assemble


@dataclass(frozen=True)
class MultiAdditionConfig(NumberConfig):
    """Options of `multi_addition`: those of NumberConfig, and

    Attributes:
        operands: how many, at least 2; 0: the scale has a second entry, their number.
        cot: "sums": the answer is the sum of the last operand and the first, then that with the second added, and
            so on; operands are padded with zeros to the length of the total, so that all rows have one length.
    """

    steps = "sums"
    operands: int = 3
    cot: str = "none"

    def validate(self) -> None:
        super().validate()
        if self.operands < 0 or self.operands == 1:
            raise ValueError(f"option 'operands' must be at least 2, or 0 for a second scale, got {self.operands}")
        if self.cot == "sums":
            self.need_plain_numbers("cot='sums'", order=self.order)


class MultiAddition(NumberTask):
    """add several numbers, least significant digit first: "321+654+987=" -> "8631" (123 + 456 + 789 = 1368).

    The total has as many more digits as the largest total needs. Its digit k needs digits k and k - 1 of all operands
    and the digit just written: a carry is less than the number of operands, and while that is at most the base, the
    digit written before shows which carry came in there. With the number of operands the number of reads grows.

    With cot="sums" ("3210+6540+9870=" -> "2190;8631") every row is the row above plus one operand. The last operand,
    which stands right above the first row, comes first, then the others from the left: so both are always at the same
    distances, for any number of operands. With operands=0 the scale is (operand length, operand count); the hints are
    then the characters before the first "+" and those between it and "=".
    """

    name = "multi_addition"
    Config = MultiAdditionConfig
    config: MultiAdditionConfig
    delimiters = "="

    @property
    def marks(self) -> str:
        return "+=" if self.config.cot == "none" else "+=;"

    @property
    def final_separator(self) -> str | None:
        return ";" if self.config.cot == "sums" else None

    @property
    def scale_rule(self) -> ScaleRule:
        return ((None, "+"),) if self.config.operands else ((None, "+"), ("+", "="))

    def expand(self, n: Scale) -> tuple[int, ...]:
        """One integer n -> n digits of n operands (at least 2), where the number of operands is part of the scale."""
        scale = super().expand(n)
        if self.config.operands:
            return scale
        if isinstance(n, tuple | list) and scale[1] < 2:
            raise ValueError(f"the scale {tuple(n)} has {scale[1]} operand, but a sum needs at least 2")
        return scale[0], max(2, scale[1])

    @property
    def least(self) -> tuple[int, ...]:
        return (1,) if self.config.operands else (1, 2)

    def draw_scales(self, n_min: int, n_max: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """Scales uniform in [n_min, n_max]; numbers of operands uniform in [max(2, n_min), max(2, n_max)]."""
        scales = super().draw_scales(n_min, n_max, count, rng)
        if not self.config.operands:
            scales[:, 1] = rng.integers(max(2, n_min), max(2, n_max), size=count, endpoint=True)
        return scales

    def hint(self, scale: tuple[int, ...]) -> tuple[int, ...]:
        length, count = self._shape(scale)
        first = self.format.length(length)
        return (first,) if self.config.operands else (first, (count - 1) * (first + 1) - 1)

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        config = self.config
        if config.order == "plain" or not self.bare:
            return ()
        k = config.operands
        if config.cot == "sums":
            if k:
                far = back(k, k - 1), back(k, k), back(k - 1, k - 2)
                return *far, "i - j = n", "i - j = n + 1", "i - j = 0"
            far = "i - j = n0 + n1 + 1", "i - j = n0 + n1 + 2", "i - j = n1"
            return *far, "i - j = n0", "i - j = n0 + 1", "i - j = 0"
        if not k or k > config.base or config.padding == "none":
            return ()
        same = tuple(back(t, t - 1) for t in range(1, k + 1))
        return *same, *(back(t, t) for t in range(1, k + 1)), "i - j = 0"

    @property
    def src_verdict(self) -> str:
        config = self.config
        if config.order == "plain":
            return "growing: the first digit written depends on a carry that any of the n digits may start."
        if self.ideal_relations:
            if config.cot == "sums":
                return "constant: a digit needs two columns of one operand and of the row above, and the one before."
            return "constant: a digit needs two columns of all operands, whose number is fixed, and the one before."
        if not config.operands:
            return "growing: a digit needs a column of all operands, whose number grows."
        return "unknown: no relations have been written down for this format."

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return (Repeat("operands", (Number("operand", self.format),), between="+"),)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        if self.config.cot == "sums":
            return (Repeat("sums", (Number("sum", self.format),), between=";"),)
        return (Number("sum", self.format),)

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        base, rows, n = self.config.base, len(hard), scale[0]
        length, count = self._shape(scale)
        start = self.draw_start(rows, rng)
        drawn = self.lead(draw_number(n, base, np.repeat(hard, count), rng), rng).reshape(rows, count, n)
        nines = np.flatnonzero(hard & (rng.random(rows) < 0.25))
        drawn[nines] = base - 1  # the largest carries
        width = self.columns(n) + _extra(count, base)
        wide = np.pad(drawn, ((0, 0), (0, 0), (0, width - n)))
        parts: list[np.ndarray | str] = []
        for k in range(count):
            parts += [self.format.encode(wide[:, k, :length], start), "+" if k < count - 1 else "="]
        if self.config.cot == "none":
            return assemble(*parts), self.result(normalise(wide.sum(axis=1, dtype=np.int64), base), start)
        order = np.concatenate([wide[:, -1:], wide[:, :-1]], axis=1)
        sums = normalise(np.cumsum(order, axis=1, dtype=np.int64)[:, 1:], base)
        if self.config.order == "plain":
            sums = sums[:, :, ::-1]
        answers = np.full((rows, count - 1, width + 1), ord(";"), dtype=np.uint8)
        answers[:, :, :-1] = sums + np.uint8(ord("0"))
        return assemble(*parts), answers.reshape(rows, math.prod(answers.shape[1:]))[:, :-1]

    def solve(self, operands: list[dict[str, str]]) -> dict[str, Any]:
        base, count, cot = self.config.base, len(operands), self.config.cot
        digits = [operand["operand"] for operand in operands]
        if count < 2 or count != (self.config.operands or count):
            raise ValueError(f"a sum of {self.config.operands or 'two or more'} operands is needed, got {count}")
        if len({len(number) for number in digits}) > 1:
            raise ValueError("all operands need equally many digits; pad with zeros")
        for number in digits:
            self.check_operand(number)
        numbers = [to_integer(number, base) for number in digits]
        if cot == "none":
            return {"sum": self.padded(to_digits(sum(numbers), base, len(digits[0]) + _extra(count, base)))}
        width, order = len(digits[0]), numbers[-1:] + numbers[:-1]
        if sum(numbers) >= base**width:
            raise ValueError(f"the total does not fit into the {width} digits of a row; pad with zeros")
        return {"sums": [{"sum": to_digits(sum(order[: k + 1]), base, width)} for k in range(1, count)]}

    def _shape(self, scale: tuple[int, ...]) -> tuple[int, int]:
        """Digits that an operand is written with, and how many operands there are."""
        count = self.config.operands or scale[1]
        return self.columns(scale[0]) + (_extra(count, self.config.base) if self.config.cot == "sums" else 0), count


def _extra(count: int, base: int) -> int:
    """By how many digits the sum of `count` numbers may be longer than they: the least e with base^e >= count."""
    extra = 1
    while base**extra < count:
        extra += 1
    return extra
