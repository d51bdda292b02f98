from .contract import TaskContract


class TestInterleave(TaskContract):
    name = "interleave"
    variants = [{}, {"symbols": "xyz"}]
    examples = [({}, "abc|def=", "adbecf")]
    digests = [({}, "596d7028d1e322ff")]
    bad_options = [({"symbols": "ab|"}, "must not contain '\\|'"), ({"symbols": "a"}, "two or more")]
    bad_prompts = [({}, "ab|c=", "of one length, got 2 and 1"), ({}, "abab=", "lacks '\\|'")]
    relations = [({"symbols": "abc"}, list(range(1, 9)), [30])]
