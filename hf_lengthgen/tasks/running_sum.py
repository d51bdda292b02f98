"""Running sums modulo m."""

from dataclasses import dataclass

import numpy as np

from .strings import draw_symbols
from .task import Characters, Task, TaskConfig, assemble, character_codes

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class RunningSumConfig(TaskConfig):
    """Options of `running_sum`.

    Attributes:
        modulus: 2 to 36; digits beyond 9 are letters.
    """

    modulus: int = 7

    def validate(self) -> None:
        super().validate()
        if not 2 <= self.modulus <= len(_DIGITS):
            raise ValueError(f"option 'modulus' must lie between 2 and {len(_DIGITS)}, got {self.modulus}")


class RunningSum(Task):
    """the sums of the first 1, 2, ..., n digits modulo m: "3160=" -> "3433" (m = 7).

    Each step adds the digit n places back to the sum just written; where there is "=" instead of a digit, the
    answer is complete.
    """

    name = "running_sum"
    Config = RunningSumConfig
    ideal_relations = ("i - j = n", "i - j = 0")
    src_verdict = "constant: each step reads one digit, n places back, and the sum just written."

    @property
    def vocabulary(self) -> str:
        return _DIGITS[: self.config.modulus] + "="

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        modulus = self.config.modulus
        digits = draw_symbols(scale[0], modulus, hard, rng)
        names = character_codes(_DIGITS)
        return assemble(names[digits], "="), names[digits.cumsum(axis=1, dtype=np.int64) % modulus]

    def solve(self, digits: str) -> str:
        total, sums = 0, []
        for digit in digits:
            total = (total + int(digit, 36)) % self.config.modulus
            sums.append(_DIGITS[total])
        return "".join(sums)
