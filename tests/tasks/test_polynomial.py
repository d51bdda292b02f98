from .format_contract import FormatContract


class TestPolynomial(FormatContract):
    name = "polynomial"
    variants = [{}, {"cot": "none", "modulus": 10}, {"modulus": 2}]
    scales = [1, 2, 7, 20, 100]
    large, large_rows = [1000], 200
    examples = [({}, "3142@2=", "3043:3"), ({"cot": "none"}, "3142@2=", "3"), ({"modulus": 10}, "19@9=", "18:8")]
    finals = [({}, "3043:3", "3", ("value",)), ({"cot": "none"}, "3", "3", ())]
    digests = [({}, "e000cb4c76095150"), ({"cot": "none"}, "37413cf3471ff68a")]
    bad_options = [
        ({"modulus": 1}, "between 2 and 10, got 1"),
        ({"modulus": 11}, "between 2 and 10, got 11"),
        ({"cot": "horn"}, "did you mean 'horner'"),
    ]
    bad_prompts = [({}, "3142@22=", "has '2' at character 7"), ({}, "39@2=", "foreign characters '9'")]
    relations = [({"modulus": 3}, list(range(1, 9)), [30])]
