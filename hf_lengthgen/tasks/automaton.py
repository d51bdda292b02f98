"""Simulating a finite automaton that the options draw (arXiv 2210.10749)."""

import string
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .states import StateConfig, StateTask
from .task import nearest

_KINDS = ("any", "permutation")


@dataclass(frozen=True)
class AutomatonConfig(StateConfig):
    """Options of `automaton`.

    Attributes:
        states: number of states, 2 to 10, named 0, 1, ...
        letters: number of letters, 2 to 26, named a, b, ...
        seed: draws the table of transitions, uniform over the tables of its kind in which every state can be
            reached from every other.
        kind: "any", or "permutation": every letter permutes the states, so that nothing is ever forgotten.
    """

    states: int = 5
    letters: int = 2
    seed: int = 0
    kind: str = "any"

    def validate(self) -> None:
        super().validate()
        for option, least, most in (("states", 2, 10), ("letters", 2, 26)):
            value = getattr(self, option)
            if not least <= value <= most:
                raise ValueError(f"option {option!r} must lie between {least} and {most}, got {value}")
        if self.seed < 0:
            raise ValueError(f"option 'seed' must be at least 0, got {self.seed}")
        if self.kind not in _KINDS:
            raise ValueError(f"option 'kind' cannot be {self.kind!r}; {nearest(self.kind, _KINDS)}")


class Automaton(StateTask):
    """run a fixed automaton on n letters: "abba=" -> "1043:3", the states passed and then the last one.

    The automaton is a property of the task (of `seed`, `states`, `letters` and `kind`), not of the prompt: a
    model has to learn it from examples.
    """

    name = "automaton"
    Config = AutomatonConfig

    @property
    def letter_names(self) -> str:
        return string.ascii_lowercase[: self.config.letters]

    @property
    def state_names(self) -> str:
        return string.digits[: self.config.states]

    @cached_property
    def memory(self) -> int | None:
        """How many of the last letters decide the state, whatever came before them; None: no number of them does."""
        table, pairs = self.transitions, {(s, t) for s in range(self.config.states) for t in range(s)}
        for length in range(len(pairs) + 1):
            if not pairs:  # every word of this length has led all states into one
                return length
            step = {tuple(sorted(table[[s, t], letter].tolist(), reverse=True)) for s, t in pairs for letter in
                    range(self.config.letters)}  # fmt: skip
            pairs = {(s, t) for s, t in step if s != t}
        return None

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        if self.config.cot or self.memory is None:
            return super().ideal_relations
        return tuple(f"i - j = {back}" for back in range(1, self.memory + 1))

    @property
    def src_verdict(self) -> str:
        if self.config.cot or self.memory is None:
            return super().src_verdict
        letters = "letter decides" if self.memory == 1 else f"{self.memory} letters decide"
        return f"constant: of this automaton the last {letters} the state."

    @cached_property
    def transitions(self) -> np.ndarray:
        config, rng = self.config, np.random.default_rng(self.config.seed)
        while True:
            if config.kind == "permutation":
                table = rng.permuted(np.tile(np.arange(config.states), (config.letters, 1)), axis=1).T
            else:
                table = rng.integers(0, config.states, size=(config.states, config.letters))
            if _connected(table):
                return table

    def walk(self, letters: str) -> list[str]:
        table = self.transitions.tolist()
        rules = {
            (state, letter): self.state_names[table[s][a]]
            for s, state in enumerate(self.state_names)
            for a, letter in enumerate(self.letter_names)
        }
        state, states = "0", []
        for letter in letters:
            state = rules[state, letter]
            states.append(state)
        return states


def _connected(table: np.ndarray) -> bool:
    """Whether every state can be reached from every other."""
    states = len(table)
    reach = np.eye(states, dtype=bool)
    for _ in range(states):
        reach |= reach[table].any(axis=1)
    return bool(reach.all())
