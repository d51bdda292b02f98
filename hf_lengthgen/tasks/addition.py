"""Addition of two numbers, digits least significant first (the format of arXiv 2306.15400 and 2405.20671)."""

import numpy as np

from .arithmetic import back, rhythm_relations
from .formats import Number, Piece
from .integers import to_digits, to_integer
from .task import Characters, Samples, assemble
from .two_numbers import TwoNumbersTask

_VALUES = np.zeros(256)  # of characters: digits have theirs, others 0
_VALUES[ord("0") : ord("9") + 1] = np.arange(10)


class Addition(TwoNumbersTask):
    """add two numbers, least significant digit first: "321+654=" -> "9750" (123 + 456 = 0579).

    Operands are zero-padded digit strings, uniform over all of them; the answer has one digit more than the
    longer operand, its last digit being the carry.

    Digit k of the answer needs digits k of both operands and the carry into it, which digits k - 1 of the
    operands and of the sum determine: sum digit minus operand digits, modulo the base, is the carry that came
    in there.
    """

    name = "addition"
    delimiters = marks = "+="

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
        operands = tuple(map(self.widen, operands))
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
        prompts, answers = samples.prompts, samples.answers
        if self.bare and self.config.padding != "none":
            # Codes do as well as values: all rows have the same number of digits.
            digits = prompts.shape[1] - len(self.marks) - answers.shape[1]
            missing = _sums(prompts) - _sums(answers) - (sum(map(ord, self.marks)) + digits * ord("0"))
        else:
            missing = _sums(_VALUES.take(prompts)) - _sums(_VALUES.take(answers))
        return (missing / (self.config.base - 1)).astype(np.int32)

    def solve(self, a: str, b: str) -> dict[str, str]:
        self.check_operands(a, b)
        base = self.config.base
        total = to_integer(a, base) + to_integer(b, base)
        return {"sum": self.padded(to_digits(total, base, 1 + max(len(a), len(b))))}


def _sums(numbers: np.ndarray) -> np.ndarray:
    """Sums of rows, as a product, which is the fastest way for short ones: (count, w) -> float64 (count,)."""
    return numbers.astype(np.float64) @ np.ones(numbers.shape[1])


def add_digits(a: np.ndarray, b: np.ndarray, base: int) -> np.ndarray:
    """Sums of numbers given as digits, least significant first: two (count, w) -> (count, w + 1), uint8.

    No width overflows: eight digits at a time are the bytes of one integer. Every digit of `a` is raised by
    256 - base, so that a byte overflows where a column carries, and the processor's carry into the next byte is the
    column's. A byte that does not overflow stays raised.
    """
    (count, width), raised = a.shape, np.uint8(256 - base)
    words = width // 8 + 1
    left, right = (np.zeros((count, 8 * words), dtype=np.uint8) for _ in range(2))
    left[:, :width], right[:, :width] = a, b
    left += raised
    one, other = left.view("<u8"), right.view("<u8")
    for word in range(words):
        if word:  # what the word before carries; a byte of `other` is a digit and does not overflow
            other[:, word] += one[:, word - 1] < other[:, word - 1]
        one[:, word] += other[:, word]
    return np.minimum(left, left - raised)[:, : width + 1]


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
    equal_widths = widths[0] == widths[1]  # then the masks, all True, are skipped
    operands = np.empty((2, count, width), dtype=np.uint8)
    a, b = operands
    a[:] = rng.integers(0, base, size=(count, width), dtype=np.uint8)
    b[:] = rng.integers(0, base, size=(count, width), dtype=np.uint8)
    if not equal_widths:
        inside = [column < w for w in widths]
        a *= inside[0]
        b *= inside[1]
    rows = np.flatnonzero(hard)
    kind = rng.integers(0, 4, size=count).take(rows)

    carries = kind < 2
    chain = rows[carries]
    share = np.where(kind[carries] == 1, 1.0, rng.random(len(chain)))
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

    short = rows[kind == 2]
    first_zero = rng.integers(0, width, size=len(short))
    which = rng.integers(0, 2, size=(len(short), 1))[:, 0]
    operands[which, short] *= column < first_zero[:, None]

    equal = rows[kind == 3]
    b[equal] = a[equal] if equal_widths else np.where(inside[0] & inside[1], a[equal], b[equal])
    return a, b
