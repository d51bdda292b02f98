from .contract import TaskContract


class TestReverse(TaskContract):
    name = "reverse"
    variants = [{}, {"symbols": "xyz"}]
    examples = [({}, "abcd=", "dcba"), ({"symbols": "01"}, "011=", "110")]
    digests = [({}, "f6d7852afd913bb5")]
    bad_options = [({"symbols": "aa"}, "two or more different")]
    bad_prompts = [({"symbols": "ab"}, "abc=", "foreign characters 'c'")]
    relations = [({}, list(range(1, 9)), [30])]
