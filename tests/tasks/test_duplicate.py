from .contract import TaskContract


class TestDuplicate(TaskContract):
    name = "duplicate"
    variants = [{}, {"symbols": "01"}]
    examples = [({}, "abca=", "abcaabca"), ({"symbols": "01"}, "101=", "101101")]
    digests = [({}, "85a5050ed502461b")]
    relations = [({"symbols": "abc"}, list(range(1, 9)), [30])]
