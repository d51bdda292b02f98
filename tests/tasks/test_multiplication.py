import numpy as np
import pytest

from hf_lengthgen.tasks import get_task

from .checks import assert_relations_hold, relations_determine
from .format_contract import FormatContract

ROWS = "2eA81eA40eA00eA0", "0dA82dA01dB40dA0"


class TestMultiplication(FormatContract):
    name = "multiplication"
    variants = [{}, {"base": 2, "widths": "unequal", "padding": "none", "order": "plain", "index_hints": "fixed"}]
    more_variants = [{"cot": "tape"}, {"cot": "tape", "base": 2}]
    limits = [(options, 100, "a row of n = 1000 has nine million characters.") for options in more_variants]
    scales = [1, 2, 7, 20]
    large, large_rows = [100, 1000], 100
    ragged = True
    examples = [
        ({}, "21*43=", "8040"),
        ({"order": "plain", "padding": "none", "widths": "unequal"}, "12*3=", "36"),
        ({"cot": "tape"}, "43|2___1___0___0___=", f"43|{ROWS[0]};3_|{ROWS[1]};"),
    ]
    finals = [
        ({"cot": "tape"}, f"43|{ROWS[0]};3_|{ROWS[1]};", "8040", ("rest", "columns")),
        ({}, "8040", "8040", ()),
    ]
    digests = [
        ({}, "f020a5c287340132"),
        ({"widths": "unequal"}, "f020a5c287340132"),
        ({"cot": "tape"}, "fb38aa3414df59d3"),
    ]
    bad_options = [
        ({"cot": "taep"}, "did you mean 'tape'"),
        ({"cot": "tape", "widths": "unequal"}, "cot='tape' needs widths='equal'"),
        ({"cot": "tape", "order": "plain"}, "cot='tape' needs order='reversed', got 'plain'"),
        ({"widths": "eqal"}, "did you mean 'equal'"),
    ]
    bad_prompts = [
        ({}, "12*3=", "2 and 1 digits"),
        ({"cot": "tape"}, "43|2___1___=", "has 4 columns"),
        ({"cot": "tape"}, "43|2___1___0___1___=", "the upper 2 of them 0"),
        ({"cot": "tape"}, "43|2___1__0___0___=", "where '___' should stand"),
    ]

    def scales_at(self, task, n):
        return [n, (n, (n + 1) // 2), ((n + 1) // 2, n)] if task.hints == 2 else [n]

    def test_the_relations_are_enough_at_any_scale(self):
        """Only the tape has any; see below."""

    def test_every_relation_is_needed(self):
        """See below."""


@pytest.mark.parametrize("base", [2, 10])
def test_the_tape_agrees_with_the_oracle(base):
    task, plain = get_task("multiplication", cot="tape", base=base, hard=0.5), get_task("multiplication", base=base)
    for n, rows in ((1, 1000), (2, 1000), (7, 300), (20, 30), (100, 1)):
        samples = task.sample(n, rows, np.random.default_rng(n))
        assert samples.answers.shape == (rows, n * (9 * n + 2))
        for prompt, answer in zip(samples.prompt_strings(), samples.answer_strings(), strict=True):
            assert task.answer(prompt) == answer
            b, columns = prompt[:-1].split("|")
            assert plain.answer(f"{columns[::4][:n]}*{b}=") == task.final(answer)
        assert task.scale_of(prompt) == (n,)


def test_the_tapes_relations_are_enough_at_any_scale():
    for base, large in ((2, 30), (3, 12)):
        task = get_task("multiplication", cot="tape", base=base, hard=0.5)
        assert_relations_hold(task, small=range(1, 9), large=[large], count=40, all_seen=False)


@pytest.mark.slow
def test_each_of_the_tapes_relations_is_needed_in_the_end():
    # Two of them only from about n = 9 on: while rows are short, other relations happen to read the same places.
    task = get_task("multiplication", cot="tape", base=2, hard=0.5)
    for left_out in task.ideal_relations:
        rest = [relation for relation in task.ideal_relations if relation != left_out]
        assert not relations_determine(task, rest, [30, 31], count=60), left_out
