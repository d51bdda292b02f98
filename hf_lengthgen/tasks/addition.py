"""Addition of two numbers, digits least significant first (the format of arXiv 2306.15400 and 2405.20671)."""

from dataclasses import dataclass

import numpy as np

from .arithmetic import WIDTHS, NumberConfig, NumberTask, back, rhythm_relations
from .formats import Number, Piece, check_choice
from .integers import to_digits, to_integer
from .task import Characters, Samples, ScaleRule, assemble

_FEW = 32  # columns that a loop adds faster than array operations over all of them
_VALUES = np.zeros(256)  # of characters: digits have theirs, others 0
_VALUES[ord("0") : ord("9") + 1] = np.arange(10)


@dataclass(frozen=True)
class AdditionConfig(NumberConfig):
    """Options of `addition`: those of NumberConfig, and

    Attributes:
        widths: "equal": both operands have n digits, one scale hint; "unequal": n0 and n1 digits, two hints.
    """

    widths: str = "equal"

    def validate(self) -> None:
        super().validate()
        check_choice("widths", self.widths, WIDTHS)


class Addition(NumberTask):
    """add two numbers, least significant digit first: "321+654=" -> "9750" (123 + 456 = 0579).

    Operands are zero-padded digit strings, uniform over all of them; the answer has one digit more than the
    longer operand, its last digit being the carry.

    Digit k of the answer needs digits k of both operands and the carry into it, which digits k - 1 of the
    operands and of the sum determine: sum digit minus operand digits, modulo the base, is the carry that came
    in there.
    """

    name = "addition"
    Config = AdditionConfig
    config: AdditionConfig
    delimiters = marks = "+="

    @property
    def scale_rule(self) -> ScaleRule:
        return ((None, "+"),) if self.config.widths == "equal" else super().scale_rule

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        period = self.format.period
        if self.config.order == "plain" or (period > 1 and self.config.padding == "none"):
            return ()
        if self.config.widths == "equal":
            # One place beyond the operands follow digits of others: the separator missing before them tells.
            end = (back(2, period),) if self.config.separator else ()
            return *rhythm_relations(self.format), *end
        # Past the end of the shorter operand these relations hold for no key: "no digit there".
        shifts = (-1, period - 1)
        return *(f"offset(i) - offset(j) = {d} in segment {s}" for d in shifts for s in (0, 1)), back(0, period - 1)

    @property
    def src_verdict(self) -> str:
        if self.config.order == "plain":
            return "growing: the first digit written depends on a carry that any of the n digits may start."
        if not self.ideal_relations:
            return "unknown: whether the sum goes on is decided before the last digits are looked at."
        return "constant: a digit needs two columns of the operands and the digit just written."

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        return Number("a", self.format), Number("b", self.format)

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        return (Number("sum", self.format),)

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        widths = (scale[0], scale[-1])
        operands = draw_operands(widths, self.config.base, hard, rng)
        start = self.draw_start(len(hard), rng)
        if self.config.padding == "none":
            for operand, width in zip(operands, widths, strict=True):
                self.lead(operand[:, :width], rng)
        places = self.columns(max(widths))
        if places > max(widths):
            operands = tuple(np.pad(operand, ((0, 0), (0, places - max(widths)))) for operand in operands)
        total = add_digits(*operands, self.config.base)
        a, b = (
            self.format.encode(operand[:, : self.columns(width)], start)
            for operand, width in zip(operands, widths, strict=True)
        )
        return assemble(a, "+", b, "="), self.result(total, start)

    def difficulty(self, samples: Samples) -> np.ndarray:
        """The number of carries. Each turns `base` in one column into 1 in the next, so that digits worth base - 1
        are missing in the sum: no carry has to be followed, and the format does not matter.
        """
        codes = np.concatenate([samples.prompts, samples.answers], axis=1)
        signs = np.repeat([1.0, -1.0], [samples.prompts.shape[1], samples.answers.shape[1]])
        return (_VALUES.take(codes) @ signs / (self.config.base - 1)).astype(np.int32)

    def solve(self, a: str, b: str) -> dict[str, str]:
        if self.config.widths == "equal" and len(a) != len(b):
            raise ValueError(
                f"operands have {len(a)} and {len(b)} digits, but widths='equal' needs equal numbers; "
                f"pad with zeros or use widths='unequal'"
            )
        self.check_operand(a)
        self.check_operand(b)
        base = self.config.base
        total = to_integer(a, base) + to_integer(b, base)
        return {"sum": self.padded(to_digits(total, base, 1 + max(len(a), len(b))))}


def add_digits(a: np.ndarray, b: np.ndarray, base: int) -> np.ndarray:
    """Sums of numbers given as digits, least significant first: two (count, w) -> (count, w + 1), uint8.

    Works on digits only, so no width overflows. Few digits are added column by column. Many are without a loop: the
    carry into column k comes from the last column before it whose digits do not add up to base - 1 (such a column
    passes on whatever comes in), and is 1 if that column's digits add up to `base` or more.
    """
    count, width = a.shape
    sums = np.zeros((width + 1, count), dtype=np.uint8)  # by columns: what belongs together lies together
    np.add(a.T, b.T, out=sums[:-1])
    if width <= _FEW:
        for k in range(width):
            sums[k + 1] += sums[k] >= base
    else:
        # Twice the number of the column, plus 1 if it carries: the largest so far is that of the last that decides.
        decides = np.arange(2, 2 * width + 2, 2, dtype=np.min_scalar_type(2 * width + 1))[:, None] + (sums[:-1] >= base)
        decides *= sums[:-1] != base - 1
        np.maximum.accumulate(decides, axis=0, out=decides)
        sums[1:] += (decides & 1).astype(np.uint8)
    sums -= (sums >= base) * np.uint8(base)
    return np.ascontiguousarray(sums.T)


def draw_operands(
    widths: tuple[int, int], base: int, hard: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Digits of two operands, both (count, max(widths)), uint8; beyond an operand's own width they are 0.

    Easy rows are uniform. A hard row is, with equal chance,
    0. full of carries: a carry starts at digit 0, and columns add up to base - 1 (which passes it on) with a
       probability drawn per row;
    1. one carry through the whole number (99..9 + 1, with the nines shared out between the operands);
    2. an operand with leading zeros;
    3. two equal operands (as far as the shorter one goes).
    """
    count, width = len(hard), max(widths)
    column = np.arange(width)
    inside = [column < w for w in widths]
    equal_widths = widths[0] == widths[1]  # then the masks, all True, are skipped
    a, b = (rng.integers(0, base, size=(count, width), dtype=np.uint8) for _ in widths)
    if not equal_widths:
        a, b = a * inside[0], b * inside[1]
    kind = np.where(hard, rng.integers(0, 4, size=count), 4)

    chain = np.flatnonzero(kind < 2)
    share = np.where(kind[chain] == 1, 1.0, rng.random(len(chain)))
    passes = rng.random((len(chain), width)) < share[:, None]
    nines = np.uint8(base - 1)
    left, right = a.take(chain, axis=0), b.take(chain, axis=0)
    if not equal_widths:
        left = np.where(passes & ~inside[1], nines, left)
        passes &= inside[1]
    right = np.where(passes, nines - left, right)
    left[:, 0] = rng.integers(1, base, size=len(chain), dtype=np.uint8)
    right[:, 0] = base - left[:, 0]
    a[chain], b[chain] = left, right

    short = np.flatnonzero(kind == 2)
    first_zero = rng.integers(0, width, size=len(short))
    kept = column < first_zero[:, None]
    second = rng.integers(0, 2, size=(len(short), 1)) == 1
    a[short] *= kept | second
    b[short] *= kept | ~second

    equal = np.flatnonzero(kind == 3)
    b[equal] = a[equal] if equal_widths else np.where(inside[0] & inside[1], a[equal], b[equal])
    return a, b
