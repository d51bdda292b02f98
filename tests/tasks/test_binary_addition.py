import numpy as np

from hf_lengthgen.tasks import get_task

from .format_contract import FormatContract


class TestBinaryAddition(FormatContract):
    name = "binary_addition"
    scales = [1, 2, 3, 7, 20, 100]
    large, large_rows = [1000], 500
    ragged = True
    # The first three are those of the paper's code.
    examples = [
        ({}, "001+01101=", "01011"),
        ({}, "1001+000001=", "100101"),
        ({}, "01001+011=", "00011"),
        ({}, "01=", "01"),
    ]
    digests = [({}, "e3937a556cd231bd")]
    bad_prompts = [
        ({}, "0101=", "with '\\+' between them"),
        ({}, "1+1+1=", "with '\\+' between them"),
        ({}, "+11=", "with '\\+' between them"),
        ({}, "1+=", "too short"),
    ]


def test_the_sign_stands_anywhere_and_no_operand_is_zero():
    prompts = get_task("binary_addition").sample(8, 1000, np.random.default_rng(0)).prompt_strings()
    assert {prompt.index("+") for prompt in prompts} == set(range(1, 7))
    assert all("1" in part for prompt in prompts for part in prompt[:-1].split("+"))
