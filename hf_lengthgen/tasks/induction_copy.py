"""The copying tasks of arXiv 2505.21785: forward or backward, symbols unique or not."""

from dataclasses import dataclass

import numpy as np

from .distinct import DistinctConfig, draw_unrepeated
from .strings import StringTask, draw_symbols
from .task import Characters, assemble, character_codes, nearest

_DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class InductionCopyConfig(DistinctConfig):
    """Options of `induction_copy`.

    Attributes:
        unique: no symbol (window=2: no pair of neighbours) occurs twice; False: symbols are drawn with repetition.
        direction: "forward" or "backward".
    """

    unique: bool = True
    direction: str = "forward"

    def validate(self) -> None:
        super().validate()
        if self.direction not in _DIRECTIONS:
            raise ValueError(f"option 'direction' cannot be {self.direction!r}; {nearest(self.direction, _DIRECTIONS)}")


class InductionCopy(StringTask):
    """copy a string of n symbols that direct the reading: "xqbz=" -> "xqbz", or backward: "xqbz=" -> "zbqx".

    The source's UF, UB, NF and NB: unique or not, forward or backward. Of unique symbols the next one to write
    stands beside the one just written: to its right (induction) or, backward, to its left (anti-induction). By
    position the reads are those of `copy` and `reverse`, unique or not.
    """

    name = "induction_copy"
    Config = InductionCopyConfig

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        return ("i - j = n",) if self.config.direction == "forward" else ("i + j = 2n + 1",)

    @property
    def src_verdict(self) -> str:
        if self.config.direction == "forward":
            return "constant: every symbol is read n places back."
        return "constant: every symbol is read at the mirrored place."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        config, names = self.config, character_codes(self.config.symbols)
        if config.unique:
            symbols = draw_unrepeated(scale[0], len(names), config.window, hard, rng)
        else:
            symbols = draw_symbols(scale[0], len(names), hard, rng)
        symbols = names[symbols]
        return assemble(symbols, "="), symbols if config.direction == "forward" else symbols[:, ::-1]

    def solve(self, string: str) -> str:
        width = self.config.window
        seen: set[str] = set()
        for end in range(width, len(string) + 1):
            run = string[end - width : end]
            if self.config.unique and run in seen:
                raise ValueError(f"{run!r} occurs twice in {string[:40]!r}; use unique=False")
            seen.add(run)
        return string if self.config.direction == "forward" else "".join(reversed(string))
