"""Copying a string whose symbols recur ("repeat copy" of arXiv 2310.16028 and 2410.02140), once or several times."""

from dataclasses import dataclass

import numpy as np

from .strings import StringConfig, StringTask


@dataclass(frozen=True)
class RepeatCopyConfig(StringConfig):
    """Options of `repeat_copy`.

    Attributes:
        times: how often the string is written, at least 1.
    """

    symbols: str = "ab"
    times: int = 1

    def validate(self) -> None:
        super().validate()
        if self.times < 1:
            raise ValueError(f"option 'times' must be at least 1, got {self.times}")


class RepeatCopy(StringTask):
    """write a string of n symbols of few kinds, `times` times: "abba=" -> "abba".

    As every symbol occurs many times, the one just written does not tell where to read: content is of no help.
    Copy number k reads k*n places back; of the relations that find something the last one counts, and where
    that is "=" the answer is complete.
    """

    name = "repeat_copy"
    Config = RepeatCopyConfig
    src_verdict = "constant: one read per copy, and their number is fixed."

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        return ("i - j = n", *(f"i - j = {k}n" for k in range(2, self.config.times + 1)))

    def rewrite(self, symbols: np.ndarray) -> np.ndarray:
        return np.tile(symbols, (1, self.config.times))

    def solve(self, string: str) -> str:
        return string * self.config.times
