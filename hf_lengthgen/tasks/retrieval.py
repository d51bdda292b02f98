"""The retrieval tasks of arXiv 2505.21785: the neighbour of a symbol that is asked about."""

from dataclasses import dataclass

import numpy as np

from .delimited import DelimitedConfig, QueryTask, differ
from .strings import draw_symbols
from .task import Characters, assemble, character_codes, nearest

_SIDES = ("left", "right")
_OCCURRENCES = ("first", "last")


@dataclass(frozen=True)
class RetrievalConfig(DelimitedConfig):
    """Options of `retrieval`.

    Attributes:
        unique: the symbol that is asked about occurs once; False: at least twice, where n allows.
        side: which neighbour is wanted, "left" or "right".
        occurrence: of which occurrence, "first" or "last" (the same if `unique`).
    """

    reserved = "?-"
    unique: bool = True
    side: str = "right"
    occurrence: str = "first"

    def validate(self) -> None:
        super().validate()
        for option, allowed in (("side", _SIDES), ("occurrence", _OCCURRENCES)):
            value = getattr(self, option)
            if value not in allowed:
                raise ValueError(f"option {option!r} cannot be {value!r}; {nearest(value, allowed)}")


class Retrieval(QueryTask):
    """what stands beside a symbol in a string of n symbols? "dbac?b=" -> "a".

    The source's UL, UR, NLFirst, NRFirst, NLLast and NRLast: unique or not, left or right neighbour, of the first
    or last occurrence. At the end of the string the answer is "-", no neighbour: the source leaves such questions
    out; here one symbol (n = 1) has no other, and a few rows with recurring symbols have them.
    """

    name = "retrieval"
    Config = RetrievalConfig
    src_verdict = "growing: the symbol asked about may be anywhere, and a positional read looks at one place."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, count, names, config = scale[0], len(hard), character_codes(self.config.symbols), self.config
        symbols = draw_symbols(n, len(names), hard, rng)
        row = np.arange(count)
        if config.unique:
            # The place of the question has a neighbour on the wanted side; elsewhere its symbol is replaced.
            place = rng.integers(0, max(1, n - 1), size=count) + (config.side == "left" and n > 1)
            query = symbols[row, place]
            clash = symbols == query[:, None]
            clash[row, place] = False
            symbols = np.where(clash, differ(symbols, len(names), rng), symbols)
        else:
            place = rng.integers(0, n, size=count)
            query = symbols[row, place]
            symbols[row, (place + rng.integers(1, max(2, n), size=count)) % n] = query
        found = symbols == query[:, None]
        place = found.argmax(axis=1) if config.occurrence == "first" else n - 1 - found[:, ::-1].argmax(axis=1)
        edge = np.full((count, 1), ord("-"), dtype=np.uint8)
        letters = names[symbols]
        shift = 0 if config.side == "left" else 2
        answers = np.concatenate([edge, letters, edge], axis=1)[row, place + shift][:, None]
        return assemble(letters, "?", names[query][:, None], "="), answers

    def about(self, string: str, symbol: str) -> str:
        if symbol not in string:
            raise ValueError(f"{symbol!r} does not occur in {string[:40]!r}")
        if self.config.unique and string.count(symbol) > 1:
            raise ValueError(f"{symbol!r} occurs more than once in {string[:40]!r}; use unique=False")
        before, _, after = string.partition(symbol) if self.config.occurrence == "first" else string.rpartition(symbol)
        return (before[-1:] if self.config.side == "left" else after[:1]) or "-"
