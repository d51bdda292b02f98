from .contract import TaskContract


class TestCopy(TaskContract):
    name = "copy"
    variants = [{}, {"symbols": "xyz"}]
    examples = [({}, "abca=", "abca"), ({"symbols": "01"}, "0110=", "0110")]
    digests = [({}, "1ad77656a43eeb2f")]
    bad_options = [({"symbols": "a"}, "two or more")]
    bad_prompts = [({"symbols": "ab"}, "abc=", "foreign characters 'c'")]
    relations = [({}, list(range(1, 9)), [30])]
