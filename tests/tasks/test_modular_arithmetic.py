from hf_lengthgen.tasks import get_task

from .checks import assert_relations_hold
from .format_contract import FormatContract


class TestModularArithmetic(FormatContract):
    name = "modular_arithmetic"
    variants = [{}, {"cot": "running"}, {"operators": "+*", "modulus": 10, "cot": "running"}, {"operators": "-"}]
    scales = [1, 2, 7, 20, 100]
    large, large_rows = [1000], 100
    examples = [
        ({}, "1-2*3=", "0"),
        # The examples of the paper's code.
        ({}, "1+2*3=", "2"),
        ({}, "1-1-1=", "4"),
        ({}, "0*1+4*3-2=", "0"),
        ({}, "-2*3=", "4"),
        ({"operators": "+"}, "-1+2=", "1"),
        ({"cot": "running"}, "1-2*3=", "0b1d1e:0"),
    ]
    finals = [({"cot": "running"}, "0b1d1e:0", "0", ("sum", "term")), ({}, "0", "0", ())]
    digests = [({}, "9b86995d8f25b9c1"), ({"cot": "running"}, "89caec1a7ecb19de")]
    bad_options = [
        ({"modulus": 1}, "between 2 and 10, got 1"),
        ({"operators": ""}, "some of '\\+-\\*'"),
        ({"operators": "+/"}, "some of '\\+-\\*'"),
        ({"cot": "run"}, "did you mean 'running'"),
    ]
    bad_prompts = [
        ({}, "12=", "an operator between each two"),
        ({}, "1++2=", "an operator between each two"),
        ({}, "1+=", "an operator between each two"),
        ({}, "1+9=", "foreign characters '9'"),
        ({"operators": "+"}, "1-2=", r"'1-2' .* an operator between each two \(operators='\+'\)"),
        ({"operators": "+-"}, "-1--2=", "an operator between each two"),
    ]
    relations = [({"cot": "running", "modulus": 3}, list(range(1, 9)), [])]


def test_the_relations_hold_at_large_scales():
    task = get_task("modular_arithmetic", cot="running", modulus=3)
    assert_relations_hold(task, small=range(1, 9), large=[30, 31], all_seen=False)
