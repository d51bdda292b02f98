"""Parity of a bit string, with and without a chain of thought."""

from dataclasses import dataclass

import numpy as np

from .states import StateConfig, StateTask


@dataclass(frozen=True)
class ParityConfig(StateConfig):
    """Options of `parity`.

    Attributes:
        cot: True or "parities": write the parity after every bit before the final one.
    """

    steps = "parities"


class Parity(StateTask):
    """is the number of ones among n bits odd? "01101=" -> "01001:1", running parities and then the answer.

    With the chain of thought each step reads one bit and the parity so far; the final parity stands one place
    before ":", and after it the answer is complete. Without it ("01101=" -> "1") no fixed set of relations is
    enough: the control that no position embedding can solve.
    """

    name = "parity"
    Config = ParityConfig
    letter_names = state_names = "01"
    transitions = np.array([[0, 1], [1, 0]])

    def walk(self, letters: str) -> list[str]:
        return [str(letters[: k + 1].count("1") % 2) for k in range(len(letters))]
