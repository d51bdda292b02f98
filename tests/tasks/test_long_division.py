import numpy as np

from hf_lengthgen.tasks import get_task

from .format_contract import FormatContract


class TestLongDivision(FormatContract):
    name = "long_division"
    variants = [{}, {"cot": "rows"}, {"base": 3, "padding": "none", "order": "reversed", "index_hints": "random"}]
    more_variants = [{"base": 2}]
    scales = [1, 2, 7, (9, 2), (2, 9)]
    large, large_rows = [20, (100, 10)], 20
    ragged = True
    longest = [(10_000, 40), (40, 10_000)]
    examples = [
        ({}, "735/12=", "061:03"),
        ({"cot": "rows"}, "735/12=", "0:07;6:01;1:03;"),
        ({"padding": "none"}, "735/12=", "61:3"),
    ]
    finals = [
        ({"cot": "rows"}, "0:07;6:01;1:03;", "061:03", ("quotient", "remainder")),
        ({}, "061:03", "061:03", ()),
    ]
    digests = [({}, "5c4e023e7711afd3"), ({"cot": "rows"}, "06a35e68a108e32c")]
    bad_options = [
        ({"cot": "row"}, "did you mean 'rows'"),
        ({"cot": "rows", "order": "reversed"}, "needs order='plain'"),
    ]
    bad_prompts = [({}, "12/00=", "the divisor is 0"), ({"padding": "none"}, "012/3=", "starts with a zero")]

    def scales_at(self, task, n):
        return [n, (n, (n + 1) // 2)]  # the quotient of equally long numbers is mostly one digit


def test_a_thousand_digits():
    task = get_task("long_division")
    for scale, rows in (((1000, 1000), 3), ((1000, 30), 20), ((30, 1000), 100)):
        samples = task.sample(scale, rows, np.random.default_rng(0))
        assert [task.answer(prompt) for prompt in samples.prompt_strings()] == samples.answer_strings()


def test_the_final_answer_of_a_broken_chain_is_wrong_but_no_error():
    task = get_task("long_division", cot="rows")
    assert task.final("") == task.final("0") == ":"
