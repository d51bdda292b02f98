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
    counts. The third finds "=" when the answer is complete. They hold for n >= k.
    """

    name = "shift"
    Config = ShiftConfig
    src_verdict = "constant: one read before the string's end and one after it."

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        return (f"i - j = n - {self.config.k}", f"i - j = 2n - {self.config.k}", "i - j = n")

    def rewrite(self, symbols: np.ndarray) -> np.ndarray:
        return np.roll(symbols, -self.config.k, axis=1)

    def solve(self, string: str) -> str:
        k = self.config.k % len(string)
        return string[k:] + string[:k]
