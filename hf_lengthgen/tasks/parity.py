"""Parity of a bit string, with and without a chain of thought."""

from dataclasses import dataclass

import numpy as np

from .strings import draw_symbols
from .task import Characters, Task, TaskConfig, assemble


@dataclass(frozen=True)
class ParityConfig(TaskConfig):
    """Options of `parity`.

    Attributes:
        cot: True or "parities": write the parity after every bit before the final one.
    """

    steps = "parities"
    cot: bool = True


class Parity(Task):
    """is the number of ones among n bits odd? "01101=" -> "01001:1", running parities and then the answer.

    With the chain of thought each step reads one bit and the parity so far; the final parity stands one place
    before ":", and after it the answer is complete. Without it ("01101=" -> "1") no fixed set of relations is
    enough: the control that no position embedding can solve.
    """

    name = "parity"
    Config = ParityConfig

    @property
    def vocabulary(self) -> str:
        return "01=:" if self.config.cot else "01="

    @property
    def final_separator(self) -> str | None:
        return ":" if self.config.cot else None

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        return ("i - j = n", "i - j = 0", "i - j = 1") if self.config.cot else ()

    @property
    def src_verdict(self) -> str:
        if self.config.cot:
            return "constant: each step reads one bit, n places back, and the parity just written."
        return "growing: the answer depends on all n bits, and a positional read brings one."

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        bits = draw_symbols(scale[0], 2, hard, rng)
        running = np.bitwise_xor.accumulate(bits, axis=1) + ord("0")
        last = running[:, -1:]
        return assemble(bits + ord("0"), "="), assemble(running, ":", last) if self.config.cot else last

    def solve(self, bits: str) -> str:
        final = str(bits.count("1") % 2)
        if not self.config.cot:
            return final
        return "".join(str(bits[: k + 1].count("1") % 2) for k in range(len(bits))) + ":" + final
