from .contract import TaskContract


class TestRepeatCopy(TaskContract):
    name = "repeat_copy"
    variants = [{}, {"times": 3}, {"symbols": "xyz"}]
    examples = [({}, "abba=", "abba"), ({"times": 3}, "ab=", "ababab")]
    digests = [({}, "27583c0a4dc603c8"), ({"times": 3}, "8ad9b7e27cffe871")]
    bad_options = [({"times": 0}, "'times' must be at least 1, got 0"), ({"symbols": "a"}, "two or more")]
    relations = [({"times": times}, list(range(1, 9)), [30]) for times in (1, 2, 4)]
