from .contract import TaskContract


class TestSortNumbers(TaskContract):
    name = "sort_numbers"
    scales = [1, 2, 7, 20, (1, 9), (9, 1), (4, 18), (3, 19)]
    large = [100, (2, 10_000), (1000, 3), (5, 1000)]
    examples = [({}, "###:31,04,29,=", "04,29,31,"), ({}, "#:7,=", "7,"), ({}, "##:9,9,=", "9,9,")]
    digests = [({}, "d2bc8d631a1a4909")]
    bad_prompts = [
        ({}, "##:1,2,3,=", "as many numbers"),
        ({}, "##:1,23,=", "of one width"),
        ({}, "##:1,2=", "ended by ','"),
        ({}, "#1:1,2,=", "as many numbers"),
        ({}, "##:1,#,=", "made of digits"),
        ({}, "##=", "lacks ':'"),
    ]
