"""Merging two strings symbol by symbol."""

from dataclasses import dataclass

import numpy as np

from .delimited import DelimitedConfig
from .strings import draw_symbols
from .task import Characters, Task, assemble, character_codes


@dataclass(frozen=True)
class InterleaveConfig(DelimitedConfig):
    """Options of `interleave`."""

    reserved = "|"


class Interleave(Task):
    """alternate the symbols of two strings of n symbols: "abc|def=" -> "adbecf".

    Both reads advance by one symbol in two steps: strides of 2. Past the end of the first string the first
    one finds "|", which says that the answer is complete.
    """

    name = "interleave"
    Config = InterleaveConfig
    delimiters = "|="
    ideal_relations = ("i - 2j = 2n", "i - 2j = -1")
    src_verdict = "constant: two reads of stride 2, one per string."
    scale_rule = ((None, "|"),)

    @property
    def vocabulary(self) -> str:
        return self.config.symbols + "|="

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, names = scale[0], character_codes(self.config.symbols)
        first, second = (names[draw_symbols(n, len(names), hard, rng)] for _ in range(2))
        return assemble(first, "|", second, "="), np.stack([first, second], axis=2).reshape(len(hard), 2 * n)

    def solve(self, first: str, second: str) -> str:
        if len(first) != len(second):
            raise ValueError(f"both strings must be of one length, got {len(first)} and {len(second)} symbols")
        return "".join(a + b for a, b in zip(first, second, strict=True))
