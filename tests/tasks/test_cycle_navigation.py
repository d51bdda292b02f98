from .contract import TaskContract


class TestCycleNavigation(TaskContract):
    name = "cycle_navigation"
    variants = [{}, {"cot": False}, {"length": 2}, {"length": 10}]
    large = [10_000]
    large_rows = 5
    examples = [
        ({}, "<.>>=", "4401:1"),
        ({"cot": False}, "><.<<=", "3"),
        ({"cot": False}, ">>><=", "2"),
        ({"length": 3, "cot": False}, "<=", "2"),
    ]
    digests = [({}, "1113ed51e04129d9"), ({"cot": False}, "87e07a084729641a")]
    bad_options = [({"length": 1}, "between 2 and 10, got 1"), ({"length": 11}, "got 11"), ({"cot": 1}, "must be bool")]
    bad_prompts = [({}, "<0=", "must be of '.><'"), ({}, "<a=", "foreign characters 'a'")]
    relations = [({}, list(range(1, 9)), [30])]
