from .format_contract import FormatContract


class TestDivisionDigit(FormatContract):
    name = "division_digit"
    variants = [{}, {"cot": "none"}, {"cot": "none", "base": 4, "padding": "none", "separator": "."}]
    scales = [1, 2, 7, 20, 100]
    large, large_rows = [1000], 200
    ragged = True
    examples = [
        ({}, "735/2=", "316171"),
        ({"cot": "none"}, "735/2=", "367:1"),
        ({"cot": "none", "padding": "none"}, "105/9=", "11:6"),
        ({"cot": "none", "order": "reversed"}, "537/2=", "763:1"),
    ]
    finals = [({}, "316171", "367:1", ("quotient", "remainder")), ({"cot": "none"}, "367:1", "367:1", ())]
    digests = [({}, "e7082da65e4dcbff"), ({"cot": "none"}, "257e08dd6e732e54")]
    bad_options = [
        ({"cot": "pair"}, "did you mean 'pairs'"),
        ({"order": "reversed"}, "cot='pairs' needs order='plain', got 'reversed'"),
        ({"index_hints": "fixed"}, "cot='pairs' needs index_hints='none'"),
    ]
    bad_prompts = [({}, "12/0=", "the divisor is 0"), ({}, "12/34=", "has '4' at character 5")]
    relations = [({"base": base, "cot": cot}, list(range(1, 9)), [30]) for base in (3, 4) for cot in ("pairs", "none")]
