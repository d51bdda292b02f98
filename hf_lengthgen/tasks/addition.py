"""Addition of two numbers, digits least significant first (the format of arXiv 2306.15400 and 2405.20671)."""

from dataclasses import dataclass

import numpy as np

from .task import Characters, ScaleRule, Task, TaskConfig, assemble, nearest

_WIDTHS = ("equal", "unequal")
_CHUNK = 500  # digits per int() call: below the least limit that sys.set_int_max_str_digits may set (640)


@dataclass(frozen=True)
class AdditionConfig(TaskConfig):
    """Options of `addition`.

    Attributes:
        widths: "equal": both operands have n digits, one scale hint; "unequal": n0 and n1 digits, two hints.
        base: base of the number system, 2 to 10.
    """

    widths: str = "equal"
    base: int = 10

    def validate(self) -> None:
        super().validate()
        if self.widths not in _WIDTHS:
            raise ValueError(f"option 'widths' cannot be {self.widths!r}; {nearest(self.widths, _WIDTHS)}")
        if not 2 <= self.base <= 10:
            raise ValueError(f"option 'base' must lie between 2 and 10, got {self.base}")


class Addition(Task):
    """add two numbers, least significant digit first: "321+654=" -> "9750" (123 + 456 = 0579).

    Operands are zero-padded digit strings, uniform over all of them; the answer has one digit more than the
    longer operand, its last digit being the carry.

    Digit k of the answer needs digits k of both operands and the carry into it, which digits k - 1 of the
    operands and of the sum determine: sum digit minus operand digits, modulo the base, is the carry that came
    in there.
    """

    name = "addition"
    Config = AdditionConfig
    delimiters = "+="

    @property
    def vocabulary(self) -> str:
        return "0123456789"[: self.config.base] + "+="

    @property
    def scale_rule(self) -> ScaleRule:
        return ((None, "+"),) if self.config.widths == "equal" else super().scale_rule

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        if self.config.widths == "equal":
            return ("i - j = 2n + 1", "i - j = n", "i - j = 2n + 2", "i - j = n + 1", "i - j = 0")
        # Past the end of the shorter operand these relations hold for no key: "no digit there".
        offsets = [f"offset(i) - offset(j) = {d} in segment {s}" for d in (-1, 0) for s in (0, 1)]
        return (*offsets, "i - j = 0")

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        widths = (scale[0], scale[-1])
        operands = draw_operands(widths, self.config.base, hard, rng)
        total = add_digits(*operands, self.config.base)
        zero = ord("0")
        a, b = (operand[:, :width] + zero for operand, width in zip(operands, widths, strict=True))
        return assemble(a, "+", b, "="), total + zero

    def solve(self, a: str, b: str) -> str:
        if self.config.widths == "equal" and len(a) != len(b):
            raise ValueError(
                f"operands have {len(a)} and {len(b)} digits, but widths='equal' needs equal numbers; "
                f"pad with zeros or use widths='unequal'"
            )
        base = self.config.base
        return _digits(_integer(a, base) + _integer(b, base), base, 1 + max(len(a), len(b)))


def add_digits(a: np.ndarray, b: np.ndarray, base: int) -> np.ndarray:
    """Sums of numbers given as digits, least significant first: two (count, w) -> (count, w + 1), uint8.

    Works on digits only, so no width overflows. No loop over digits either: the carry into column k comes
    from the last column before it whose digits do not add up to base - 1 (such a column passes on whatever
    comes in), and is 1 if that column's digits add up to `base` or more.
    """
    count, width = a.shape
    sums = np.zeros((count, width + 2), dtype=np.uint8)  # an empty column in front: digit 0 gets no carry
    sums[:, 1:-1] = a + b
    decides = np.where(sums[:, :-1] != base - 1, np.arange(width + 1), 0)
    source = np.maximum.accumulate(decides, axis=1)
    carries = np.take_along_axis(sums, source, axis=1) >= base
    return (sums[:, 1:] + carries) % base


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
    both = inside[0] & inside[1]
    a, b = (rng.integers(0, base, size=(count, width), dtype=np.uint8) * mask for mask in inside)
    kind = np.where(hard, rng.integers(0, 4, size=count), -1)

    chain = np.flatnonzero((kind == 0) | (kind == 1))
    share = np.where(kind[chain] == 1, 1.0, rng.random(len(chain)))
    passes = rng.random((len(chain), width)) < share[:, None]
    nines = np.uint8(base - 1)
    a[chain] = np.where(passes & ~inside[1], nines, a[chain])
    b[chain] = np.where(passes & inside[1], nines - a[chain], b[chain])
    a[chain, 0] = rng.integers(1, base, size=len(chain), dtype=np.uint8)
    b[chain, 0] = base - a[chain, 0]

    short = np.flatnonzero(kind == 2)
    first_zero = rng.integers(0, width, size=len(short))
    kept = column < first_zero[:, None]
    second = rng.integers(0, 2, size=(len(short), 1)) == 1
    a[short] *= kept | second
    b[short] *= kept | ~second

    equal = np.flatnonzero(kind == 3)
    b[equal] = np.where(both, a[equal], b[equal])
    return a, b


def _integer(digits: str, base: int) -> int:
    """Digits, least significant first, -> Python integer."""
    value = 0
    for start in reversed(range(0, len(digits), _CHUNK)):
        chunk = digits[start : start + _CHUNK]
        value = value * base ** len(chunk) + int(chunk[::-1], base)
    return value


def _digits(value: int, base: int, width: int) -> str:
    """Python integer -> its first `width` digits, least significant first."""
    digits = []
    for start in range(0, width, _CHUNK):
        size = min(_CHUNK, width - start)
        value, part = divmod(value, base**size)
        for _ in range(size):
            part, digit = divmod(part, base)
            digits.append(str(digit))
    return "".join(digits)
