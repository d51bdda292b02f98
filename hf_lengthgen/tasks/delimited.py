"""Strings whose prompts need marks besides "=": symbols that leave those marks alone, and "string?query="."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .strings import StringConfig
from .task import Task


@dataclass(frozen=True)
class DelimitedConfig(StringConfig):
    """Options of a task on strings whose format has marks of its own.

    Attributes:
        reserved: the marks, which `symbols` must not contain.
    """

    reserved: ClassVar[str] = ""

    def validate(self) -> None:
        super().validate()
        clash = "".join(sorted(set(self.symbols) & set(self.reserved)))
        if clash:
            raise ValueError(f"option 'symbols' must not contain {clash!r}, which this task's format uses as marks")


class QueryTask(Task):
    """A string of n symbols, "?", one symbol that is asked about, and "=": "abca?b="; the scale is n.

    A subclass writes `rows` and `about`, the answer to one question.
    """

    Config: ClassVar[type[DelimitedConfig]]
    delimiters = "?="
    scale_rule = ((None, "?"),)

    @property
    def vocabulary(self) -> str:
        return self.config.symbols + self.config.reserved + "="

    def about(self, string: str, symbol: str) -> str:
        raise NotImplementedError

    def solve(self, string: str, query: str) -> str:
        foreign = sorted(set(string + query) - set(self.config.symbols))
        if len(query) != 1 or foreign:
            raise ValueError(f"a question is about one symbol of {self.config.symbols!r}, got {string!r} and {query!r}")
        return self.about(string, query)


def differ(symbols: np.ndarray, alphabet: int, rng: np.random.Generator) -> np.ndarray:
    """For every number in `symbols` another one of 0..alphabet-1, uniform among the others: uint8, same shape."""
    step = rng.integers(1, alphabet, size=symbols.shape, dtype=np.uint8)
    return ((symbols.astype(np.int64) + step) % alphabet).astype(np.uint8)
