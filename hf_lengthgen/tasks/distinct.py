"""Draws without repetition: different numbers, and strings in which no symbol, or no pair of symbols, recurs."""

import string
from dataclasses import dataclass

import numpy as np

from .strings import StringConfig

# All printable ASCII characters but "=".
SYMBOLS = string.ascii_letters + string.digits + string.punctuation.replace("=", "")
_CELLS = 1 << 23  # bytes or numbers of scratch space at once


@dataclass(frozen=True)
class DistinctConfig(StringConfig):
    """Options of tasks on strings without repetition.

    Attributes:
        window: 1: no symbol occurs twice; 2: no two neighbours occur twice as a pair, which allows for strings
            longer than the alphabet: n up to half its square.
    """

    symbols: str = SYMBOLS
    window: int = 1

    def validate(self) -> None:
        super().validate()
        if self.window not in (1, 2):
            raise ValueError(f"option 'window' must be 1 or 2, got {self.window}")


def draw_distinct(n: int, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """`n` different numbers of 0..size-1 per row, uniform over all arrangements: int64, (count, n); n <= size."""
    if n * n > size:
        parts = [rng.random((rows, size)) for rows in _chunks(count, size)]
        return np.concatenate([np.argsort(part, axis=1)[:, :n] for part in parts] or [np.zeros((0, n), np.int64)])
    drawn = rng.integers(0, size, size=(count, n))
    again = np.arange(count)
    while len(again):  # more than half of the rows are free of repetition at once
        ordered = np.sort(drawn[again], axis=1)
        again = again[(ordered[:, 1:] == ordered[:, :-1]).any(axis=1)]
        drawn[again] = rng.integers(0, size, size=(len(again), n))
    return drawn


def draw_unrepeated(
    n: int, alphabet: int, window: int, hard: np.ndarray, rng: np.random.Generator, instead: str = "window=2"
) -> np.ndarray:
    """Strings of symbol numbers in which every run of `window` symbols (1 or 2) is unique: uint8, (len(hard), n).

    Easy rows are uniform (window 1), or random walks over the pairs not yet used (window 2). Hard rows of
    window 1 are in the order of the alphabet, from a random symbol on; hard rows of window 2 use as few symbols
    as n allows, so that single symbols recur often.

    Args:
        instead: the option that allows for longer strings than window 1 does, as the error names it.

    Raises:
        ValueError: n is beyond what the alphabet allows.
    """
    limit = alphabet if window == 1 else max(alphabet, alphabet**2 // 2)
    if n > limit:
        unit, more = ("symbol", f" or {instead}") if window == 1 else ("pair of neighbours", "")
        raise ValueError(
            f"n = {n} is too long for strings of {alphabet} symbols in which no {unit} occurs twice: "
            f"n <= {limit}, unless there are more symbols{more}"
        )
    count = len(hard)
    if window == 1:
        symbols = draw_distinct(n, alphabet, count, rng).astype(np.uint8)
        row = np.flatnonzero(hard)
        symbols[row] = (symbols[row, :1].astype(np.int64) + np.arange(n)) % alphabet
        return symbols
    few = min(alphabet, max(2, int(np.ceil(np.sqrt(2 * n)))))
    sizes = np.where(hard, few, alphabet)
    symbols = np.empty((count, n), dtype=np.uint8)
    start = 0
    for rows in _chunks(count, alphabet**2):
        again = np.arange(start, start + rows)
        while len(again):  # a walk may end where all pairs are used; rare unless n is near the limit
            symbols[again], stuck = _walk_pairs(n, alphabet, sizes[again], rng)
            again = again[stuck]
        start += rows
    return symbols


def _walk_pairs(n: int, alphabet: int, sizes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Walks over symbols 0..sizes-1 that use no pair twice: (count, n), and which of them (count,) got stuck."""
    count = len(sizes)
    row = np.arange(count)
    # used[r, s, t]: the pair "s t" has occurred in row r, or t is no symbol of that row.
    used = np.tile(np.arange(alphabet) >= sizes[:, None, None], (1, alphabet, 1))
    walk = np.empty((count, n), dtype=np.uint8)
    walk[:, 0] = rng.integers(0, sizes)
    stuck = np.zeros(count, dtype=bool)
    for place in range(1, n):
        last = walk[:, place - 1]
        lot = rng.random((count, alphabet), dtype=np.float32)
        lot[used[row, last]] = -1
        walk[:, place] = step = lot.argmax(axis=1)
        stuck |= lot[row, step] < 0
        used[row, last, step] = True
    return walk, stuck


def _chunks(count: int, cells: int) -> list[int]:
    """Numbers of rows, together `count`, each with at most about 8 million cells."""
    size = max(1, _CELLS // cells)
    return [min(size, count - start) for start in range(0, count, size)]
