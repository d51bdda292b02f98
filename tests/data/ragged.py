"""A task whose prompts and answers differ in length between the rows of one scale."""

import numpy as np

from hf_lengthgen.tasks import Task


class RaggedEcho(Task):
    """repeat the string, or nothing if it ends with "b": "aba=" -> "aba", "ab=" -> ""; strings of 1 to n letters."""

    name = "ragged_echo"
    vocabulary = "ab="

    def rows(self, scale, hard, rng):
        count, n = len(hard), scale[0]
        letters = rng.integers(ord("a"), ord("c"), size=(count, n), dtype=np.uint8)
        letters *= np.arange(n) < rng.integers(1, n, size=(count, 1), endpoint=True)
        prompts = np.zeros((count, n + 1), dtype=np.uint8)
        prompts[:, :n] = letters
        last = np.count_nonzero(letters, axis=1)
        prompts[np.arange(count), last] = ord("=")
        answers = letters * (letters[np.arange(count), last - 1] == ord("a"))[:, None]
        return prompts, answers

    def solve(self, letters):
        return letters if letters[-1] == "a" else ""
