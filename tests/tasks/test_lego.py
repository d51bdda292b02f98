import numpy as np
import pytest

from .contract import TaskContract


class TestLego(TaskContract):
    name = "lego"
    variants = [{}, {"order": "shuffled"}]
    scales = [1, 2, 7, 20, 100]
    large = [1000]
    large_rows = 200
    examples = [
        ({"width": 1}, "k+1x-kb-x:???=", "+-+"),
        ({}, "ab-11cd-ab:??=", "-+"),
        ({"width": 1, "order": "shuffled"}, "b-xk-1x-k:???=", "--+"),
    ]
    digests = [({}, "715389791b07418e"), ({"order": "shuffled", "width": 1}, "8ab07269896b0ff5")]
    bad_options = [({"width": 3}, "must be 1 or 2, got 3"), ({"order": "shufled"}, "did you mean 'shuffled'")]
    bad_prompts = [
        ({"width": 1}, "a+1:??=", "one '\\?' per clause"),
        ({"width": 1}, "a+1a-1:??=", "'a-1' is no new variable"),
        ({"width": 1}, "a+1b:??=", "'b' is no new variable"),
        ({"width": 1}, "a+b:?=", "cannot be told"),
        ({"width": 1}, "a+bb+a:??=", "cannot be told"),
        ({"width": 1}, "b-aa+1:??=", "defined by the one before it"),
        ({"width": 1}, "a+1b-1:??=", "defined by the one before it"),
        ({}, "a+1:?=", "'a\\+1' is no new variable"),
    ]
    relations = [({"width": width}, [1, 2, 3, 4, 5, 6], [20]) for width in (1, 2)]

    def test_more_variables_than_names_are_refused(self):
        with pytest.raises(ValueError, match="52 names of 1 letter.* too few for n = 53"):
            self.task(width=1).sample(53, 1, np.random.default_rng(0))
        self.check_rows(self.task(), 2704, 2)

    def test_shuffled_clauses_are_in_any_order(self):
        samples = self.task(order="shuffled", width=1).sample(5, 5000, np.random.default_rng(0))
        roots = {prompt.index("1") // 3 for prompt in samples.prompt_strings()}
        assert roots == set(range(5))
