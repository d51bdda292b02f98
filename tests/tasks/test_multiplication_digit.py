from .format_contract import FormatContract


class TestMultiplicationDigit(FormatContract):
    name = "multiplication_digit"
    variants = [{}, {"base": 3, "padding": "none"}, {"order": "plain", "index_hints": "random"}]
    scales = [1, 2, 7, 20, 100]
    large, large_rows = [1000], 300
    ragged = True
    examples = [
        ({}, "321*4=", "2940"),
        ({"order": "plain", "padding": "none"}, "123*4=", "492"),
        ({"padding": "none"}, "321*0=", "0"),
    ]
    digests = [({}, "8b4d3031c7ac7ff4")]
    bad_prompts = [({}, "321*45=", "has '5' at character 6"), ({"base": 3}, "12*4=", "foreign characters '4'")]
    relations = [({"base": base}, list(range(1, 9)), [30]) for base in (3, 4)] + [
        ({"base": 3, "padding": "none"}, list(range(1, 9)), [30])
    ]
