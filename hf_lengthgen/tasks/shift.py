"""Rotating a string."""

from dataclasses import dataclass

import numpy as np

from .strings import StringConfig, StringTask


@dataclass(frozen=True)
class ShiftConfig(StringConfig):
    """Options of `shift`.

    Attributes:
        k: how many places to rotate left, at least 1; a string shorter than k is rotated by k mod n.
    """

    k: int = 1

    def validate(self) -> None:
        super().validate()
        if self.k < 1:
            raise ValueError(f"option 'k' must be at least 1, got {self.k}")


class Shift(StringTask):
    """rotate a string of n symbols k places to the left: "abcd=" -> "bcda" (k = 1).

    Two relations read the symbol before and after the string's end; where the second finds a symbol, that one
    counts. The third finds "=" when the answer is complete. In strings shorter than k those that follow find the
    symbol: i - j = m·n - k for every m up to k.
    """

    name = "shift"
    Config = ShiftConfig
    src_verdict = "constant: one read before the string's end and one after it."

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        k = self.config.k
        short = (f"i - j = {m}n - {k}" for m in range(3, k + 1))
        return f"i - j = n - {k}", f"i - j = 2n - {k}", "i - j = n", *short

    def rewrite(self, symbols: np.ndarray) -> np.ndarray:
        return np.roll(symbols, -self.config.k, axis=1)

    def solve(self, string: str) -> str:
        k = self.config.k % len(string)
        return string[k:] + string[:k]
