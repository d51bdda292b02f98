from .contract import TaskContract


class TestAutomaton(TaskContract):
    name = "automaton"
    variants = [{}, {"cot": False}, {"states": 10, "letters": 26, "seed": 3}, {"kind": "permutation"}]
    large = [10_000]
    large_rows = 5
    examples = [({}, "abba=", "1043:3"), ({"cot": False}, "abba=", "3")]
    digests = [
        ({}, "bd12c9c20accc8d1"),
        ({"states": 7, "letters": 3, "seed": 5, "kind": "permutation", "cot": False}, "1155792829e43517"),
    ]
    bad_options = [
        ({"states": 1}, "between 2 and 10, got 1"),
        ({"letters": 1}, "between 2 and 26, got 1"),
        ({"seed": -1}, "at least 0, got -1"),
        ({"kind": "permutaton"}, "did you mean 'permutation'"),
    ]
    bad_prompts = [({}, "abc=", "foreign characters 'c'"), ({}, "a0=", "must be of 'ab'")]
    relations = [({}, list(range(1, 9)), [30]), ({"seed": 4, "kind": "permutation"}, list(range(1, 9)), [30])]
