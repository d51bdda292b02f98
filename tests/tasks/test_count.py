from .contract import TaskContract


class TestCount(TaskContract):
    name = "count"
    variants = [{}, {"symbols": "xy"}]
    examples = [({}, "abcabcabcabc?b=", "40"), ({}, "abc?d=", "0"), ({}, "aaaaaaaaaa?a=", "01")]
    digests = [({}, "968e9049fa952423")]
    bad_options = [({"symbols": "a1"}, "must not contain '1'")]
    bad_prompts = [({}, "abc?ab=", "about one symbol"), ({}, "ab=", "lacks '\\?'"), ({}, "a1b?a=", "about one symbol")]
