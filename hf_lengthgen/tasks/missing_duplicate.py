"""Finding the symbol that is hidden in one of two equal strings ("missing duplicate" of arXiv 2207.02098)."""

from dataclasses import dataclass

import numpy as np

from .delimited import DelimitedConfig
from .strings import draw_symbols
from .task import Characters, Task, assemble, character_codes


@dataclass(frozen=True)
class MissingDuplicateConfig(DelimitedConfig):
    """Options of `missing_duplicate`."""

    reserved = "|_"


class MissingDuplicate(Task):
    """which of n symbols is hidden in one of two copies? "abca|a_ca=" -> "b".

    Unlike in the source, "|" parts the copies, so that n is the length of one of them and may be odd, and no
    padding is needed. (The source uses binary strings: symbols="01".)
    """

    name = "missing_duplicate"
    Config = MissingDuplicateConfig
    delimiters = "|="
    src_verdict = "growing: the hole may be anywhere, and a positional read looks at one place."
    scale_rule = ((None, "|"),)

    @property
    def vocabulary(self) -> str:
        return self.config.symbols + "|_="

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, names = scale[0], character_codes(self.config.symbols)
        string = names[draw_symbols(n, len(names), hard, rng)]
        row, hole = np.arange(len(hard)), rng.integers(0, 2 * n, size=len(hard))
        copies = np.concatenate([string, string], axis=1)
        answers = copies[row, hole][:, None]
        copies[row, hole] = ord("_")
        return assemble(copies[:, :n], "|", copies[:, n:], "="), answers

    def solve(self, first: str, second: str) -> str:
        different = [a + b for a, b in zip(first, second, strict=False) if a != b]
        if len(first) != len(second) or (first + second).count("_") != 1 or len(different) != 1:
            raise ValueError(f"two equal strings with one '_' are needed, got {first!r} and {second!r}")
        return different[0].replace("_", "")
