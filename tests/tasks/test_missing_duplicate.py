from .contract import TaskContract


class TestMissingDuplicate(TaskContract):
    name = "missing_duplicate"
    variants = [{}, {"symbols": "01"}]
    examples = [
        ({}, "abca|a_ca=", "b"),
        ({"symbols": "01"}, "0110|0_10=", "1"),
        ({"symbols": "01"}, "101|1_1=", "0"),
        ({}, "_|a=", "a"),
    ]
    digests = [({}, "999d8648eb8ef376")]
    bad_options = [({"symbols": "ab_"}, "must not contain '_'")]
    bad_prompts = [
        ({}, prompt, "two equal strings with one '_'")
        for prompt in ("ab|ab=", "a_|_b=", "_b|_b=", "abc|a_=", "ab|c_=", "a_b|a__=", "_a|__=")
    ]
