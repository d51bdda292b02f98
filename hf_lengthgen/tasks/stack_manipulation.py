"""Pushing on a stack and popping from it ("stack manipulation" of arXiv 2207.02098)."""

import re

import numpy as np

from .ragged import RaggedTask, fill_ragged
from .task import Characters, assemble, character_codes

_CODES = "abAB-"


class StackManipulation(RaggedTask):
    """what is left of a stack, top first? "abbB--=" -> "ba".

    A prompt of n characters gives the stack from the bottom up, then what is done: "A" and "B" push a and b, "-"
    pops, which leaves an empty stack empty. As in the source the stack has 1 to n - 1 symbols (n = 1: one and no
    action), and actions are equally likely; hard rows, in equal parts, mostly pop, mostly push, or take turns.
    Unlike there the answer is neither padded nor closed by a mark: <eos> does that, and may come at once.
    """

    name = "stack_manipulation"
    vocabulary = "abAB-="
    src_verdict = "growing: what is on top depends on all actions, and a positional read brings one."

    def longest(self, scale: tuple[int, ...]) -> int:
        return scale[0]

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, count = scale[0], len(hard)
        place = np.arange(n)
        given = place < rng.integers(1, max(2, n), size=(count, 1))
        kind = np.where(hard, rng.integers(0, 3, size=count), -1)
        share = np.choose(kind + 1, [1 / 3, 0.8, 0.1, 0.0])[:, None]  # of pops among the actions
        pop = ~given & ((rng.random((count, n)) < share) | ((kind == 2)[:, None] & (place % 2 == 1)))
        symbols = rng.integers(0, 2, size=(count, n), dtype=np.uint8)
        codes = np.where(given, symbols, np.where(pop, 4, 2 + symbols))

        row, depth = np.arange(count), np.zeros(count, dtype=np.int64)
        stack = np.zeros((count, n), dtype=np.uint8)
        for k in range(n):
            stack[row, depth] = np.where(pop[:, k], stack[row, depth], symbols[:, k])
            depth = np.maximum(depth + np.where(pop[:, k], -1, 1), 0)
        answers = fill_ragged(depth, lambda row, place: character_codes("ab")[stack[row, depth[row] - 1 - place]])
        return assemble(character_codes(_CODES)[codes], "="), answers

    def solve(self, text: str) -> str:
        if not re.fullmatch("[ab]+[AB-]*", text):
            raise ValueError(f"a stack of 'a' and 'b' and then actions 'A', 'B' and '-' are needed, got {text[:40]!r}")
        stack: list[str] = []
        for character in text:
            if character != "-":
                stack.append(character.lower())
            elif stack:
                stack.pop()
        return "".join(reversed(stack))
