"""What the tasks on strings share: drawing symbols, and the base class of "string= -> rewritten string"."""

from dataclasses import dataclass

import numpy as np

from .task import Characters, Task, TaskConfig, assemble, character_codes


def draw_symbols(n: int, alphabet: int, hard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strings of symbol numbers 0..alphabet-1: uint8, (len(hard), n).

    Easy rows are uniform. A hard row is, with equal chance, constant, made of two symbols, or made of long
    runs: repetitions make reading a neighbour instead of the right symbol invisible to the loss, and mixing
    them in keeps content-based shortcuts ("what followed this symbol last time") from working.
    """
    count = len(hard)
    symbols = rng.integers(0, alphabet, size=(count, n), dtype=np.uint8)
    kind = np.where(hard, rng.integers(0, 3, size=count), -1)

    constant = kind == 0
    symbols[constant] = symbols[constant, :1]

    two = np.flatnonzero(kind == 1)
    pair = rng.integers(0, alphabet, size=(len(two), 2), dtype=np.uint8)
    symbols[two] = pair[np.arange(len(two))[:, None], rng.integers(0, 2, size=(len(two), n))]

    runs = np.flatnonzero(kind == 2)
    # A position repeats its left neighbour with probability 0.8: it takes the symbol of the last fresh one.
    fresh = np.where(rng.random((len(runs), n)) < 0.2, np.arange(n), 0)
    symbols[runs] = symbols[runs[:, None], np.maximum.accumulate(fresh, axis=1)]
    return symbols


@dataclass(frozen=True)
class StringConfig(TaskConfig):
    """Options of the tasks on strings.

    Attributes:
        symbols: the letters strings are made of, at least two, each once.
    """

    symbols: str = "abcdefghij"

    def validate(self) -> None:
        super().validate()
        usable = (
            max(self.symbols, default="") < "\u0100"
            and self.symbols.isprintable()
            and not set(self.symbols) & set("= ")
        )
        if len(self.symbols) < 2 or len(set(self.symbols)) < len(self.symbols) or not usable:
            raise ValueError(
                f"option 'symbols' must be two or more different printable Latin-1 characters "
                f"other than '=' and the space, got {self.symbols!r}"
            )


class StringTask(Task):
    """A string and "=", answered by a string of the same length; the scale is that length.

    A subclass writes `rewrite`, on arrays of symbols (count, n), and `solve`, on one string.
    """

    Config = StringConfig

    @property
    def vocabulary(self) -> str:
        return self.config.symbols + "="

    def rewrite(self, symbols: np.ndarray) -> np.ndarray:
        """(count, n) -> (count, n): the answers to many strings."""
        raise NotImplementedError

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        symbols = draw_symbols(scale[0], len(self.config.symbols), hard, rng)
        letters = character_codes(self.config.symbols)[symbols]
        return assemble(letters, "="), self.rewrite(letters)
