import numpy as np

from hf_lengthgen.tasks import get_task
from hf_lengthgen.tasks.expressions import evaluate

from .format_contract import FormatContract


class TestSolveEquation(FormatContract):
    name = "solve_equation"
    variants = [{}, {"modulus": 10}]
    scales = [1, 2, 7, 20, 100]
    large, large_rows = [1000], 20
    longest = [3_000]
    examples = [({}, "(2-(x+3))=3?", "1"), ({}, "x=4?", "4"), ({}, "-x=4?", "1")]
    digests = [({}, "d7436c3c63b278fc")]
    bad_options = [({"modulus": 0}, "between 2 and 10"), ({"operators": "+"}, "no option 'operators'")]
    bad_prompts = [
        ({}, "(1+2)=3?", "has one x"),
        ({}, "(x+x)=3?", "has one x"),
        ({}, "(1+x)=33?", "has '3' at character 8"),
        ({}, "(1+x=3?", "not an expression"),
        ({}, "(1+x)=3", "lacks '\\?'"),
    ]


def test_there_is_exactly_one_solution_and_x_stands_anywhere():
    samples = get_task("solve_equation", hard=0.5).sample(13, 500, np.random.default_rng(0))
    places = set()
    for prompt, answer in zip(samples.prompt_strings(), samples.answer_strings(), strict=True):
        left, value = prompt[:-1].split("=")
        solutions = [x for x in "01234" if evaluate(left.replace("x", x), "+-") % 5 == int(value)]
        assert solutions == [answer]
        places.add(left.index("x"))
    assert len(places) > 6
