from .contract import TaskContract


class TestOddsFirst(TaskContract):
    name = "odds_first"
    variants = [{}, {"symbols": "01"}]
    examples = [
        ({}, "abcde=", "acebd"),
        ({"symbols": "01"}, "00110101=", "01000111"),
        ({"symbols": "01"}, "110=", "101"),
    ]
    digests = [({}, "b442b7de5b2fb300")]
    relations = [({"symbols": "ab"}, list(range(1, 11)), [30, 31])]
