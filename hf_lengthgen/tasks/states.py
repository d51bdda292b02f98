"""What the tasks on finite machines share: letters that drive a state, with and without a chain of thought."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .strings import draw_symbols
from .task import Characters, Task, TaskConfig, assemble, character_codes


@dataclass(frozen=True)
class StateConfig(TaskConfig):
    """Options of the tasks on finite machines.

    Attributes:
        cot: True or "states": write the state after every letter before the final one.
    """

    steps = "states"
    cot: bool = True


class StateTask(Task):
    """A string of n letters and "=", answered by the states of a machine and, after ":", its last state.

    The machine starts in state 0. A subclass gives the characters of letters and states, the table of
    transitions, and `walk`, the states in plain Python.

    With the chain of thought each step reads one letter and the state so far; the last state stands one place
    before ":", and after it the answer is complete.
    """

    Config: ClassVar[type[StateConfig]] = StateConfig
    letter_names: str
    state_names: str

    @property
    def transitions(self) -> np.ndarray:
        """Next states as numbers: (states, letters)."""
        raise NotImplementedError

    def walk(self, letters: str) -> list[str]:
        """The state after every letter."""
        raise NotImplementedError

    @property
    def vocabulary(self) -> str:
        names = self.letter_names + self.state_names + ("=:" if self.config.cot else "=")
        return "".join(dict.fromkeys(names))

    @property
    def final_separator(self) -> str | None:
        return ":" if self.config.cot else None

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        return ("i - j = n", "i - j = 0", "i - j = 1") if self.config.cot else ()

    @property
    def src_verdict(self) -> str:
        if self.config.cot:
            return "constant: each step reads one letter, n places back, and the state just written."
        return "growing: the only state written depends on all n letters, and a positional read brings one."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        letters = draw_symbols(scale[0], len(self.letter_names), hard, rng)
        transitions = self.transitions
        state = np.zeros(len(hard), dtype=np.int64)
        running = np.empty(letters.shape, dtype=np.uint8)
        for place in range(scale[0]):
            state = transitions[state, letters[:, place]]
            running[:, place] = state
        running = character_codes(self.state_names)[running]
        last = running[:, -1:]
        prompts = assemble(character_codes(self.letter_names)[letters], "=")
        return prompts, assemble(running, ":", last) if self.config.cot else last

    def solve(self, letters: str) -> str:
        foreign = sorted(set(letters) - set(self.letter_names))
        if foreign:
            raise ValueError(f"the letters of {letters!r} must be of {self.letter_names!r}")
        states = self.walk(letters)
        return "".join(states) + ":" + states[-1] if self.config.cot else states[-1]
