from .contract import TaskContract


class TestInductionCopy(TaskContract):
    name = "induction_copy"
    variants = [
        {"unique": False},
        {"unique": False, "direction": "backward", "symbols": "ab"},
        {"window": 2, "direction": "backward", "symbols": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    ]
    limits = [
        ({}, 93, "of 93 printable symbols none may occur twice; unique=False or window=2 are for longer strings.")
    ]
    examples = [
        ({}, "xqbz=", "xqbz"),
        ({"direction": "backward"}, "xqbz=", "zbqx"),
        ({"unique": False}, "abba=", "abba"),
        ({"unique": False, "direction": "backward"}, "abac=", "caba"),
    ]
    digests = [
        ({}, "bd8fc642d8dcc7c2"),
        ({"direction": "backward"}, "ccfa059c42e6791f"),
        ({"unique": False}, "4e4c7f6252ed447a"),
    ]
    bad_options = [({"direction": "back"}, "did you mean 'backward'"), ({"window": 5}, "must be 1 or 2, got 5")]
    bad_prompts = [({}, "aba=", "'a' occurs twice.*unique=False"), ({"window": 2}, "abcab=", "'ab' occurs twice")]
    relations = [
        ({"unique": False, "symbols": "abc", "direction": direction}, list(range(1, 9)), [30])
        for direction in ("forward", "backward")
    ]
