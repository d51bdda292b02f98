import numpy as np

from .contract import TaskContract


class TestRetrieval(TaskContract):
    name = "retrieval"
    variants = [
        {"unique": unique, "side": side, "occurrence": occurrence}
        for unique in (True, False)
        for side in ("left", "right")
        for occurrence in ("first", "last")
        if not unique or occurrence == "first"
    ]
    examples = [
        ({}, "dbac?b=", "a"),
        ({"side": "left"}, "dbac?b=", "d"),
        ({"unique": False}, "abacab?a=", "b"),
        ({"unique": False, "occurrence": "last", "side": "left"}, "abacab?a=", "c"),
        ({"side": "left"}, "ab?a=", "-"),
    ]
    digests = [({}, "fc3ed14beac9ce5c"), ({"unique": False, "side": "left", "occurrence": "last"}, "89a6c341d53c9dd8")]
    bad_options = [
        ({"side": "lft"}, "'side' cannot be 'lft'.*did you mean 'left'"),
        ({"occurrence": "second"}, "'occurrence' cannot be 'second'"),
        ({"symbols": "ab-"}, "must not contain '-'"),
    ]
    bad_prompts = [
        ({}, "abc?d=", "'d' does not occur"),
        ({}, "aba?a=", "more than once"),
        ({}, "abc?ab=", "about one symbol"),
        ({}, "a-c?a=", "about one symbol"),
    ]

    def test_the_symbol_asked_about_is_unique_or_recurs_anywhere(self):
        for unique in (True, False):
            samples = self.task(unique=unique, hard=0.5).sample(10, 3000, np.random.default_rng(0))
            fields = [prompt[:-1].split("?") for prompt in samples.prompt_strings()]
            assert all((string.count(query) == 1) == unique for string, query in fields)
            assert {string.index(query) for string, query in fields} == set(range(9))
            edges = sum(answer == "-" for answer in samples.answer_strings())
            assert edges == 0  # the first of several, and a unique one by design, has a right neighbour
