"""What the tests of tasks with a grammar have in common: the contract of all tasks, and reading texts back."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_lengthgen.tasks.formats import LETTERS, Grammar, Number, Repeat, Symbol, Text

from .contract import TaskContract


def values_of(grammar: Grammar, start: int | None = None) -> st.SearchStrategy:
    """Any values that a text of this grammar may have."""
    drawn = st.fixed_dictionaries({piece.name: _value(piece) for piece in grammar.pieces if piece.name})
    return drawn if start is None else drawn.map(lambda values: {**values, "start": start})


def _value(piece) -> st.SearchStrategy:
    match piece:
        case Number():
            return st.text(piece.format.digits, min_size=1, max_size=120)
        case Text():
            return st.text(piece.alphabet, min_size=1, max_size=20)
        case Symbol():
            return st.sampled_from(piece.alphabet)
        case Repeat():
            record = {inner.name: _value(inner) for inner in piece.pieces if inner.name}
            return st.lists(st.fixed_dictionaries(record), min_size=1, max_size=4)


def check_round_trip(grammar: Grammar, values: dict) -> None:
    text = grammar.write(values)
    assert grammar.read(text) == values
    assert len(grammar.roles(text)) == len(text)


class FormatContract(TaskContract):
    """Like TaskContract, for subclasses of FormattedTask.

    Attributes:
        finals: (options, answer, final answer, names of the fields of a step).
        longest: scales at which a few rows of the first variant are compared with the oracle.
    """

    finals: list[tuple[dict, str, str, tuple[str, ...]]] = []
    longest: list = [10_000]

    def test_long_rows_agree_with_the_oracle(self):
        for scale in self.longest:
            self.check_rows(self.task(**{"hard": 0.5, **self.variants[0]}), scale, 4)

    def check_fields(self, task, prompt):
        assert task.prompt_grammar.write(task.read_prompt(prompt)) == prompt

    def test_the_final_answer_is_read_back(self):
        for options, answer, final, names in self.finals:
            task = self.task(**options)
            assert task.final(answer) == final
            assert all(tuple(step) == names for step in task.steps(answer)) and bool(task.steps(answer)) == bool(names)

    def test_rows_are_read_back(self):
        for options in self.variants:
            task = self.task(**options)
            samples = task.sample(task.expand(5), 20, np.random.default_rng(3))
            for prompt, answer in zip(samples.prompt_strings(), samples.answer_strings(), strict=True):
                values = task.read_answer(answer)
                assert task.answer_grammar.write(values) == answer
                assert task.prompt_grammar.write(task.read_prompt(prompt)) == prompt
                assert len(task.roles(prompt, answer)) == len(prompt) + len(answer)

    @settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.differing_executors])
    @given(st.data())
    def test_any_values_are_read_back(self, data):
        for options in self.variants:
            task = self.task(**options)
            hinted = options.get("index_hints", "none") != "none"
            start = data.draw(st.integers(0, len(LETTERS) - 1)) if hinted else None
            for grammar in (task.prompt_grammar, task.answer_grammar):
                check_round_trip(grammar, data.draw(values_of(grammar, start)))

    def test_the_verdict_goes_with_the_relations(self):
        for options in self.variants:
            task = self.task(**options)
            verdict, _, reason = task.src_verdict.partition(": ")
            assert (verdict == "constant") == bool(task.ideal_relations)
            assert verdict in ("constant", "growing", "unknown") and len(reason) > 20 and reason.endswith(".")
