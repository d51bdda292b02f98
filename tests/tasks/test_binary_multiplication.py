from .format_contract import FormatContract


class TestBinaryMultiplication(FormatContract):
    name = "binary_multiplication"
    scales = [1, 2, 3, 7, 20, 100]
    large, large_rows = [1000], 200
    ragged = True
    # The first two are the examples of the paper's code.
    examples = [({}, "001*01101=", "0001101"), ({}, "1001*000001=", "000001001"), ({}, "01=", "0")]
    digests = [({}, "f4235a89ea5506fa")]
    bad_prompts = [
        ({}, "0101=", "with '\\*' between them"),
        ({}, "1*=", "too short"),
        ({}, "0*10=", "neither number is 0"),
    ]
