"""Tasks whose answers differ in length between rows of one scale."""

from collections.abc import Callable

import numpy as np

from .task import Samples, Scale, Task


class RaggedTask(Task):
    """A task whose answers are padded on the right with 0, "no character"; an answer may even be empty.

    A subclass gives `longest`, the length of the longest answer of a scale.
    """

    def longest(self, scale: tuple[int, ...]) -> int:
        raise NotImplementedError

    def lengths(self, n: Scale) -> tuple[int, int]:
        """(characters of a prompt, characters of the longest answer) at scale n."""
        return super().lengths(n)[0], self.longest(self.expand(n))

    def _example(self) -> Samples:
        # Of a few rows the one with the longest answer: an empty one would explain nothing.
        samples = self.sample(self.expand(4), 8, np.random.default_rng(1))
        longest = int((samples.answers != 0).sum(axis=1).argmax())
        return samples[longest : longest + 1]


def fill_ragged(lengths: np.ndarray, characters: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Rows of different lengths, (count,), padded with 0: uint8, (count, longest).

    `characters(row, place)` gives the characters at these places, two arrays of equal length, inside the rows.
    """
    width = int(lengths.max(initial=0))
    row, place = np.nonzero(np.arange(width) < lengths[:, None])
    filled = np.zeros((len(lengths), width), dtype=np.uint8)
    filled[row, place] = characters(row, place)
    return filled
