from .contract import TaskContract


class TestMaxSoFar(TaskContract):
    name = "max_so_far"
    variants = [{}, {"symbols": "cab"}]
    large = [10_000]
    large_rows = 5
    examples = [({}, "3154=", "3355"), ({"symbols": "cab"}, "cab=", "cab"), ({"symbols": "cab"}, "bac=", "bbb")]
    digests = [({}, "2c4ded83517ee099")]
    relations = [({}, list(range(1, 9)), [30])]
