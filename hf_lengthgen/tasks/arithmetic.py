"""What the tasks on long numbers share: the options of their format, drawing digits, writing numbers."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .digits import significant
from .formats import INDEX_HINTS, LETTERS, ORDERS, PADDINGS, SEPARATORS, NumberFormat, check_choice
from .formatted import FormattedTask
from .integers import strip_zeros
from .task import TaskConfig


@dataclass(frozen=True)
class NumberConfig(TaskConfig):
    """Options of the tasks on long numbers.

    Attributes:
        base: base of the number system, 2 to 10.
        order: "reversed": digits least significant first; "plain": most significant first.
        padding: "equal": operands of n digits, zeros included, and results as long as the largest possible one;
            "none": no number starts with a zero (operands still have n digits, results as many as they need);
            "fixed": like "equal", with `width` in place of n: short numbers are filled up with zeros.
        width: with padding="fixed", the digits of an operand; the scale n says how many are drawn, the rest are 0.
        index_hints: "fixed": a letter before every digit names its place, "a" the least significant one; "random":
            likewise, each row starting somewhere in the ring a..z, A..Z; "none".
        separator: what stands between the digits of a number: nothing, or one of " ,._".
    """

    base: int = 10
    order: str = "reversed"
    padding: str = "equal"
    width: int = 0
    index_hints: str = "none"
    separator: str = ""

    def validate(self) -> None:
        super().validate()
        if not 2 <= self.base <= 10:
            raise ValueError(f"option 'base' must lie between 2 and 10, got {self.base}")
        check_choice("order", self.order, ORDERS)
        check_choice("padding", self.padding, PADDINGS)
        check_choice("index_hints", self.index_hints, INDEX_HINTS)
        if self.separator not in SEPARATORS:
            allowed = "".join(SEPARATORS)
            raise ValueError(f"option 'separator' must be empty or one of {allowed!r}, got {self.separator!r}")
        if self.padding == "fixed" and self.width < 1:
            raise ValueError(f"padding='fixed' needs option 'width', the digits of a number, >= 1; got {self.width}")
        if self.padding != "fixed" and self.width != 0:
            raise ValueError(f"option 'width' goes with padding='fixed', got width={self.width} and {self.padding!r}")

    def need_plain_numbers(self, option: str, order: str) -> None:
        """Raise ValueError unless numbers are written as bare digits, equally padded, in this order."""
        needed = {"order": order, "padding": "equal", "index_hints": "none", "separator": ""}
        for name, value in needed.items():
            if getattr(self, name) != value:
                raise ValueError(f"{option} needs {name}={value!r}, got {getattr(self, name)!r}")


class NumberTask(FormattedTask):
    """A task on numbers of n digits.

    A subclass gives `marks`, the characters besides digits, and what FormattedTask asks for.
    """

    Config = NumberConfig
    config: NumberConfig
    marks: str

    @cached_property
    def format(self) -> NumberFormat:
        config = self.config
        return NumberFormat(config.base, config.order, config.index_hints != "none", config.separator)

    @property
    def vocabulary(self) -> str:
        letters = LETTERS if self.config.index_hints != "none" else ""
        return self.format.digits + self.marks + self.config.separator + letters

    @property
    def bare(self) -> bool:
        """Whether numbers are written as digits and nothing else."""
        return self.format.period == 1

    def hint(self, scale: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self.format.length(self.columns(n)) for n in scale)

    def columns(self, n: int) -> int:
        """How many digits an operand of scale n is written with.

        Raises:
            ValueError: with padding="fixed", n exceeds the width.
        """
        if self.config.padding != "fixed":
            return n
        if n > self.config.width:
            raise ValueError(f"numbers of n = {n} digits do not fit into width={self.config.width}")
        return self.config.width

    # ---- arrays

    def draw_start(self, count: int, rng: np.random.Generator) -> np.ndarray | None:
        """The letter that each row's index hints start with."""
        return rng.integers(0, len(LETTERS), size=count) if self.config.index_hints == "random" else None

    def lead(self, digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """With padding="none", replace a leading zero by another digit, in place; the number 0 stays."""
        if self.config.padding == "none" and digits.shape[1] > 1:
            top = digits[:, -1]
            top[:] = np.where(top == 0, rng.integers(1, self.config.base, size=len(top), dtype=np.uint8), top)
        return digits

    def operand(self, digits: np.ndarray, start: np.ndarray | None) -> np.ndarray:
        """Characters of an operand of scale n, given as n digits (count, n)."""
        return self.format.encode(self.widen(digits), start)

    def widen(self, digits: np.ndarray) -> np.ndarray:
        """Numbers of n digits, (count, n), with the zeros of padding="fixed": (count, columns(n))."""
        missing = self.columns(digits.shape[1]) - digits.shape[1]
        return np.pad(digits, ((0, 0), (0, missing))) if missing else digits

    def result(self, digits: np.ndarray, start: np.ndarray | None) -> np.ndarray:
        """Characters of a result whose digits are as many as it is padded to."""
        return self.format.encode(digits, start, significant(digits) if self.config.padding == "none" else None)

    # ---- strings

    def read_prompt(self, prompt: str) -> dict[str, Any]:
        values = super().read_prompt(prompt)
        if self.config.index_hints == "fixed" and values["start"]:
            raise ValueError(
                f"index_hints='fixed' calls the least significant digit 'a', but the numbers of {self._shown(prompt)} "
                f"start with {LETTERS[values['start']]!r}; {self._format()}"
            )
        return values

    def padded(self, digits: str) -> str:
        """A result, given with all zeros that padding may ask for, as it is to be written."""
        return strip_zeros(digits) if self.config.padding == "none" else digits

    def check_operand(self, digits: str) -> None:
        """Raise ValueError unless an operand of a prompt is padded as the format says."""
        config = self.config
        if config.padding == "fixed" and len(digits) != config.width:
            raise ValueError(f"an operand has {len(digits)} digits, but padding='fixed' asks for width={config.width}")
        if config.padding == "none" and digits != strip_zeros(digits):
            raise ValueError("an operand starts with a zero, which padding='none' rules out")


def draw_number(n: int, base: int, hard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Numbers of n digits, uint8 (len(hard), n).

    Easy rows are uniform. A hard row is, with equal chance, one with leading zeros, 99..9, mostly zeros, or made
    of zeros and nines: what makes carries long, or digits far away matter.
    """
    count = len(hard)
    digits = rng.integers(0, base, size=(count, n), dtype=np.uint8)
    kind = np.where(hard, rng.integers(0, 4, size=count), -1)
    nines = np.uint8(base - 1)

    short = np.flatnonzero(kind == 0)
    digits[short] *= np.arange(n) < rng.integers(0, n, size=len(short))[:, None]
    digits[kind == 1] = nines
    sparse = np.flatnonzero(kind == 2)
    digits[sparse] *= rng.random((len(sparse), n)) < 0.2
    extreme = np.flatnonzero(kind == 3)
    digits[extreme] = nines * rng.integers(0, 2, size=(len(extreme), n), dtype=np.uint8)
    return digits


def draw_divisor(n: int, base: int, hard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Like `draw_number`, without 0."""
    digits = draw_number(n, base, hard, rng)
    digits[:, 0] += ~digits.any(axis=1)
    return digits


def back(scales: int, places: int) -> str:
    """The relation to the token `scales` times n plus `places` positions back: "i - j = 2n + 1"."""
    times = {0: "", 1: "n"}.get(scales, f"{scales}n")
    if not times or not places:
        return f"i - j = {times or places}"
    return f"i - j = {times} {'+' if places > 0 else '-'} {abs(places)}"


def rhythm_relations(number: NumberFormat) -> tuple[str, ...]:
    """Relations for "a+b=" with operands of n characters each: what a result, digit by digit, needs to be read.

    These are the same place, and the place before, in both operands, and the place before in the result.
    """
    period = number.period
    return back(2, 1), back(1, 0), back(2, 1 + period), back(1, period), back(0, period - 1)
