"""Tasks whose prompts and answers follow a grammar, so that both are read back into named values."""

from functools import cached_property
from typing import Any

from .formats import Grammar, Mark, Piece
from .task import Task


class FormattedTask(Task):
    """A task that states the pieces of its prompts and answers.

    A subclass gives `prompt_fields`, one piece per delimiter, `answer_fields`, and `solve`, which takes the values
    of the prompt's fields and returns those of the answer's.
    """

    @property
    def prompt_fields(self) -> tuple[Piece, ...]:
        """What stands before each delimiter."""
        raise NotImplementedError

    @property
    def answer_fields(self) -> tuple[Piece, ...]:
        """What an answer is made of, marks and chain of thought included."""
        raise NotImplementedError

    @cached_property
    def prompt_grammar(self) -> Grammar:
        pairs = zip(self.prompt_fields, self.delimiters, strict=True)
        return Grammar(*(piece for field, end in pairs for piece in (field, Mark(end))))

    @cached_property
    def answer_grammar(self) -> Grammar:
        return Grammar(*self.answer_fields)

    def solve(self, *fields: Any) -> dict[str, Any]:
        """The values of the answer to a prompt with these values; ValueError if they do not fit together."""
        raise NotImplementedError

    def parse(self, prompt: str) -> list[Any]:
        """The values of a prompt's fields: "321+654=" -> ["321", "654"], digits least significant first.

        Raises:
            ValueError: the prompt does not have the task's format.
        """
        values = self.read_prompt(prompt)
        return [values[field.name] for field in self.prompt_fields]

    def answer(self, prompt: str) -> str:
        values = self.read_prompt(prompt)
        solved = self.solve(*(values[field.name] for field in self.prompt_fields))
        return self.answer_grammar.write({**solved, "start": values.get("start", 0)})

    def read_prompt(self, prompt: str) -> dict[str, Any]:
        """The named values in a prompt; ValueError if it does not have the task's format."""
        super().parse(prompt)  # its sentences about missing delimiters and foreign characters
        try:
            return self.prompt_grammar.read(prompt)
        except ValueError as error:
            raise ValueError(f"{error}; {self._format()}") from None

    def read_answer(self, answer: str) -> dict[str, Any]:
        """The named values in an answer; ValueError if it does not have the task's format."""
        return self.answer_grammar.read(answer)

    def steps(self, answer: str) -> list[dict[str, str]]:
        """The steps of the chain of thought in an answer, each with its named fields; [] without one."""
        name = self.answer_grammar.steps
        return [] if name is None else self.read_answer(answer)[name]

    def roles(self, prompt: str, answer: str) -> list[str]:
        """What each character of prompt and answer is: the name of a field, or "mark"."""
        return self.prompt_grammar.roles(prompt) + self.answer_grammar.roles(answer)
