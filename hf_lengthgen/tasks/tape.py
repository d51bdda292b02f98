"""Running a small Turing machine, the tape rewritten at every step (in the style of arXiv 2407.03310)."""

import string
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .strings import draw_symbols
from .task import Characters, Task, TaskConfig, assemble, character_codes


@dataclass(frozen=True)
class TapeConfig(TaskConfig):
    """Options of `tape`.

    Attributes:
        letters: kinds of symbols on the tape, 2 to 5, named a, b, ...
        states: states of the machine, 1 to 5.
        seed: draws the machine: what is written, where the head goes and the next state, for every state and symbol.
            The default's head sweeps over the whole tape again and again; many others soon run in a small circle.
        cot: True or "tapes": write the tape after every step; False or "none": after the last one only.
    """

    steps = "tapes"
    letters: int = 2
    states: int = 3
    seed: int = 267
    cot: bool = True

    def validate(self) -> None:
        super().validate()
        for option, least in (("letters", 2), ("states", 1)):
            value = getattr(self, option)
            if not least <= value <= 5:
                raise ValueError(f"option {option!r} must lie between {least} and 5, got {value}")
        if self.seed < 0:
            raise ValueError(f"option 'seed' must be at least 0, got {self.seed}")


class Tape(Task):
    """run a fixed machine on a tape of n0 cells for n1 steps: "abAa:##=" -> "aDba:#.=aaFa:..=".

    The cell under the head is a capital, which stands for the state and the symbol: A, B, ... for state 1 on a, b,
    ..., then state 2, and so on. At the ends of the tape a head that would leave it stays. After the tape come as
    many "#" as steps are left; they turn into ".", one a step.

    With the chain of thought every row has n0 + n1 + 2 characters, as the prompt has, and each of them is a function
    of three neighbours in the row before; after a row's "=" the first mark of that row says whether to go on.
    """

    name = "tape"
    Config = TapeConfig
    scale_rule = ((None, ":"), (":", "="))
    delimiters = ":="

    @property
    def symbol_names(self) -> str:
        return string.ascii_lowercase[: self.config.letters]

    @property
    def head_names(self) -> str:
        return string.ascii_uppercase[: self.config.letters * self.config.states]

    @property
    def vocabulary(self) -> str:
        return self.symbol_names + self.head_names + "#:=" + ("." if self.config.cot else "")

    @property
    def ideal_relations(self) -> tuple[str, ...]:
        if not self.config.cot:
            return ()
        return ("i - j = n0 + n1", "i - j = n0 + n1 + 1", "i - j = n0 + n1 + 2", "i - j = n1")

    @property
    def src_verdict(self) -> str:
        if self.config.cot:
            return "constant: a character depends on three neighbours one row before, and the end on the first mark."
        return (
            "growing: a cell of the last tape depends on all cells within n1 places, and a positional read brings one."
        )

    @cached_property
    def machine(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(symbol written, move -1 or 1, next state), each (states, letters)."""
        config, rng = self.config, np.random.default_rng(self.config.seed)
        shape = (config.states, config.letters)
        return (
            rng.integers(0, config.letters, size=shape),
            2 * rng.integers(0, 2, size=shape) - 1,
            rng.integers(0, config.states, size=shape),
        )

    def rows(self, scale: tuple[int, ...], hard: np.ndarray, rng: np.random.Generator) -> Characters:
        (cells, steps), count, config = scale, len(hard), self.config
        row = np.arange(count)
        tape = draw_symbols(cells, config.letters, hard, rng)
        edge = rng.integers(0, 2, size=count) * (cells - 1)
        head = np.where(hard & (rng.random(count) < 0.5), edge, rng.integers(0, cells, size=count))
        state = rng.integers(0, config.states, size=count)
        # What is under the head is one number, state * letters + symbol, as in the names of heads.
        written, move, following = (part.ravel() for part in self.machine)
        symbols, heads = character_codes(self.symbol_names), character_codes(self.head_names)
        under = state * config.letters + tape[row, head]

        def shown() -> np.ndarray:
            characters = symbols.take(tape)
            characters[row, head] = heads.take(under)
            return characters

        prompts = assemble(shown(), ":", "#" * steps, "=")
        if config.cot:
            answers = np.empty((count, steps, prompts.shape[1]), dtype=np.uint8)
            left = np.arange(steps) < np.arange(steps)[::-1, None]  # of the marks in each row
            answers[:, :, cells:] = assemble(np.full((steps, 1), ord(":")), np.where(left, ord("#"), ord(".")), "=")
        for step in range(steps):
            tape[row, head] = written.take(under)
            head = np.minimum(np.maximum(head + move.take(under), 0), cells - 1)
            under = following.take(under) * config.letters + tape[row, head]
            if config.cot:
                answers[:, step, :cells] = shown()
        return prompts, answers.reshape(count, steps * prompts.shape[1]) if config.cot else shown()

    def final(self, answer: str) -> str:
        """The tape after the last step."""
        return answer.removesuffix("=").rpartition("=")[2].partition(":")[0] if self.config.cot else answer

    def solve(self, tape: str, marks: str) -> str:
        places = [place for place, character in enumerate(tape) if character.isupper()]
        if len(places) != 1 or not set(tape) <= set(self.symbol_names + self.head_names) or set(marks) != {"#"}:
            raise ValueError(f"a tape with one head and then '#' marks are needed, got {tape[:40]!r}, {marks[:40]!r}")
        letters = self.config.letters
        written, move, following = (part.tolist() for part in self.machine)
        cells, place = list(tape), places[0]
        rows = []
        for step in range(len(marks)):
            state, symbol = divmod("ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(cells[place]), letters)
            cells[place] = "abcde"[written[state][symbol]]
            place = min(max(place + move[state][symbol], 0), len(cells) - 1)
            under = "abcde".index(cells[place])
            cells[place] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[following[state][symbol] * letters + under]
            rows.append("".join(cells) + ":" + "#" * (len(marks) - 1 - step) + "." * (step + 1) + "=")
        return "".join(rows) if self.config.cot else rows[-1].partition(":")[0]
