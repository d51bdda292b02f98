"""Brackets of k kinds (Dyck-k): what closes an open prefix, or whether a string is balanced."""

from dataclasses import dataclass

import numpy as np

from .ragged import RaggedTask, fill_ragged
from .task import Characters, TaskConfig, assemble, character_codes, nearest

_FORMS = ("closing", "validity")


@dataclass(frozen=True)
class DyckConfig(TaskConfig):
    """Options of `dyck`.

    Attributes:
        k: kinds of brackets, 1 to 4.
        form: "closing": the prompt is the beginning of a balanced string, the answer is what closes it;
            "validity": the answer says whether the prompt is balanced.
    """

    k: int = 2
    form: str = "closing"

    def validate(self) -> None:
        super().validate()
        if not 1 <= self.k <= 4:
            raise ValueError(f"option 'k' must lie between 1 and 4, got {self.k}")
        if self.form not in _FORMS:
            raise ValueError(f"option 'form' cannot be {self.form!r}; {nearest(self.form, _FORMS)}")


class Dyck(RaggedTask):
    """close the brackets left open by n brackets: "([](=" -> "))"; form="validity": "([])=" -> "1", "([)]=" -> "0".

    Closing: easy rows open or close a bracket with equal chance; hard rows open rarely, mostly or always. The
    answer has up to n characters and may be empty. Validity: half of the rows of even n are balanced, the others
    have one bracket replaced, in hard rows by one of the same direction (of odd n none is balanced).
    """

    name = "dyck"
    Config = DyckConfig

    @property
    def brackets(self) -> str:
        """Opening and closing ones in turn."""
        return "()[]{}<>"[: 2 * self.config.k]

    @property
    def vocabulary(self) -> str:
        return self.brackets + ("=" if self.config.form == "closing" else "01=")

    @property
    def src_verdict(self) -> str:
        if self.config.form == "closing":
            return "growing: which bracket is the next to close depends on all n, and a positional read brings one."
        return "growing: the answer depends on all n brackets, and a positional read brings one."

    def longest(self, scale: tuple[int, ...]) -> int:
        return scale[0] if self.config.form == "closing" else 1

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        n, count, k, names = scale[0], len(hard), self.config.k, character_codes(self.brackets)
        share = np.where(hard, np.array([0.25, 0.85, 1.0])[rng.integers(0, 3, size=count)], 0.5)
        if self.config.form == "closing":
            codes, stack, depth = _walk(n, k, share, False, rng)
            answers = fill_ragged(depth, lambda row, place: names[2 * stack[row, depth[row] - 1 - place] + 1])
            return assemble(names[codes], "="), answers

        codes = _walk(n - n % 2, k, share, True, rng)[0]
        codes = np.concatenate([codes, rng.integers(0, 2 * k, size=(count, n % 2), dtype=np.uint8)], axis=1)
        # A balanced string with one bracket replaced is not balanced: its partner is left alone or mismatched.
        broken = np.flatnonzero(rng.random(count) < 0.5)
        place = rng.integers(0, n, size=len(broken))
        old = codes[broken, place].astype(np.int64)
        anything = (old + rng.integers(1, 2 * k, size=len(broken))) % (2 * k)
        alike = (old + 2 * rng.integers(1, k, size=len(broken))) % (2 * k) if k > 1 else old ^ 1
        codes[broken, place] = np.where(hard[broken], alike, anything)
        answers = np.full((count, 1), ord("1" if n % 2 == 0 else "0"), dtype=np.uint8)
        answers[broken] = ord("0")
        return assemble(names[codes], "="), answers

    def solve(self, text: str) -> str:
        partner = dict(zip(self.brackets[::2], self.brackets[1::2], strict=True))
        wanted: list[str] = []
        for place, bracket in enumerate(text):
            if bracket in partner:
                wanted.append(partner[bracket])
            elif not wanted or wanted.pop() != bracket:
                if self.config.form == "validity":
                    return "0"
                raise ValueError(f"bracket {place + 1} of {text[:40]!r} closes none that is open")
        if self.config.form == "validity":
            return "0" if wanted else "1"
        return "".join(reversed(wanted))


def _walk(
    n: int, k: int, share: np.ndarray, balanced: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Beginnings of balanced strings that open a bracket with probability `share`, (count,), where both is possible.

    Returns:
        codes, uint8, (count, n): 2 * kind, plus 1 for a closing bracket; the kinds of the brackets left open,
        (count, n), of which the first `depth`, (count,), count. If `balanced` (n even), none is left open.
    """
    count = len(share)
    row, depth = np.arange(count), np.zeros(count, dtype=np.int64)
    codes = np.empty((count, n), dtype=np.uint8)
    stack = np.zeros((count, n + 1), dtype=np.uint8)
    kinds = rng.integers(0, k, size=(count, n), dtype=np.uint8)
    lots = rng.random((count, n))
    for place in range(n):
        opens = (lots[:, place] < share) | (depth == 0)
        if balanced:
            opens &= depth < n - place
        stack[row, depth] = np.where(opens, kinds[:, place], stack[row, depth])
        depth += np.where(opens, 1, -1)
        top = np.where(opens, depth - 1, depth)
        codes[:, place] = 2 * stack[row, top] + ~opens
    return codes, stack[:, :n], depth
