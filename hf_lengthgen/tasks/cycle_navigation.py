"""A walk on a circle ("cycle navigation" of arXiv 2207.02098), with and without a chain of thought."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from .states import StateConfig, StateTask


@dataclass(frozen=True)
class CycleNavigationConfig(StateConfig):
    """Options of `cycle_navigation`.

    Attributes:
        length: places on the circle, 2 to 10.
    """

    length: int = 5

    def validate(self) -> None:
        super().validate()
        if not 2 <= self.length <= 10:
            raise ValueError(f"option 'length' must lie between 2 and 10, got {self.length}")


class CycleNavigation(StateTask):
    """where on a circle do n steps lead? "<.>>=" -> "4401:1", the places passed and then the last one.

    The walk starts at place 0; ">" goes one place on, "<" one back, "." stays. The source asks for the last place
    alone: cot=False.
    """

    name = "cycle_navigation"
    Config = CycleNavigationConfig
    letter_names = ".><"

    @property
    def state_names(self) -> str:
        return "0123456789"[: self.config.length]

    @property
    def transitions(self) -> np.ndarray:
        return (np.arange(self.config.length)[:, None] + np.array([0, 1, -1])) % self.config.length

    def walk(self, letters: str) -> list[str]:
        ahead = accumulate({">": 1, "<": -1, ".": 0}[letter] for letter in letters)
        return [str(steps % self.config.length) for steps in ahead]
