"""Sorting numbers of several digits: a scale of two, how many and how wide."""

import numpy as np

from .integers import to_integer
from .task import Characters, Task, assemble

_PACKED = 18  # digits that fit into an int64


class SortNumbers(Task):
    """sort n0 numbers of n1 digits, smallest first: "###:31,04,29,=" -> "04,29,31,".

    The marks "#" say how many numbers there are, so that both scales can be counted in the prompt. Numbers are
    zero-padded, most significant digit first, and may recur. Hard rows hold, in equal parts, numbers that agree in
    all but their last digit, equal numbers, and numbers of digits 0 and 1.
    """

    name = "sort_numbers"
    delimiters = ":="
    vocabulary = "0123456789,#:="
    src_verdict = "growing: every number written depends on all numbers, and a positional read brings one digit."
    scale_rule = ((None, ":"), (":", ","))

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        amount, width = scale
        count = len(hard)
        digits = rng.integers(0, 10, size=(count, amount, width), dtype=np.uint8)
        kind = np.where(hard, rng.integers(0, 3, size=count), -1)
        close = kind == 0
        digits[close, :, :-1] = digits[close, :1, :-1]
        equal = np.flatnonzero(kind == 1)
        few = rng.integers(0, 1 + amount // 2, size=(len(equal), amount, 1))
        digits[equal] = np.take_along_axis(digits[equal], few, axis=1)
        digits[kind == 2] %= 2

        ordered = _sort(digits)
        comma = np.full((count, amount, 1), ord(",") - ord("0"), dtype=np.int16)
        before, after = (
            (np.concatenate([part, comma], axis=2) + ord("0")).reshape(count, amount * (width + 1))
            for part in (digits, ordered)
        )
        return assemble(np.full((count, amount), ord("#")), ":", before, "="), after.astype(np.uint8)

    def solve(self, marks: str, numbers: str) -> str:
        parts = numbers.split(",")
        if set(marks) != {"#"} or parts.pop() or len(parts) != len(marks) or len({*map(len, parts)}) != 1:
            raise ValueError(
                f"as many numbers of one width, each ended by ',', are needed as there are '#', "
                f"got {marks[:40]!r} and {numbers[:40]!r}"
            )
        if not all(part.isdecimal() for part in parts):
            raise ValueError(f"numbers must be made of digits, got {numbers[:40]!r}")
        return "".join(number + "," for number in sorted(parts, key=lambda text: to_integer(text[::-1], 10)))


def _sort(digits: np.ndarray) -> np.ndarray:
    """Numbers as digits, most significant first, sorted per row: (count, amount, width), the same shape."""
    count, amount, width = digits.shape
    if width > _PACKED:  # as strings of bytes, which compare digit by digit at any width
        texts = np.ascontiguousarray(digits + ord("0")).view(f"S{width}")[:, :, 0]
        order = np.argsort(texts, axis=1)
    else:
        order = np.argsort(digits @ 10 ** np.arange(width)[::-1], axis=1)
    return np.take_along_axis(digits, order[:, :, None], axis=1)
