from .format_contract import FormatContract


class TestModularArithmeticBrackets(FormatContract):
    name = "modular_arithmetic_brackets"
    variants = [{}, {"operators": "+-*", "modulus": 10}, {"operators": "*", "modulus": 2}]
    scales = [1, 2, 7, 20, 100]
    large, large_rows = [1000], 20
    longest = [3_000]  # 10,000: test_expressions.py
    examples = [
        ({}, "(2-(1+3))=", "3"),
        ({}, "4=", "4"),
        ({}, "-4=", "1"),
        ({}, "(-4)=", "1"),
        ({}, "(-4--4)=", "0"),
        ({"operators": "+-*"}, "(-2*(3+4))=", "1"),
    ]
    digests = [({}, "4fcf1abb7094f76d"), ({"operators": "+-*"}, "fd1d4af501cb4700")]
    bad_options = [({"modulus": 1}, "between 2 and 10"), ({"operators": "/"}, "some of")]
    bad_prompts = [
        *(
            ({}, text, "not an expression")
            for text in ("(1+2=", "1+2+3=", "-(1+2)=", "(-(1+2)+3)=", "((1+2))=", "((1))=")
        ),
        ({}, "(1*2)=", "foreign"),
    ]
