import numpy as np

from .checks import assert_relations_hold
from .contract import TaskContract


class TestPermutation(TaskContract):
    name = "permutation"
    variants = [{}, {"cot": False}, {"points": 3, "moves": "cycle"}, {"points": 7}, {"points": 4, "moves": "adjacent"}]
    scales = [1, 2, 7, 20, 100]
    large = [1000]
    large_rows = 200
    examples = [
        ({}, "ba=", "3214523145:23145"),
        ({"points": 3, "moves": "cycle"}, "ba=", "231321:321"),
        ({"points": 4, "moves": "adjacent", "cot": False}, "abc=", "2341"),
    ]
    digests = [({}, "9268a1c99c5a8ecc"), ({"cot": False, "moves": "cycle"}, "66b9426f6766e6f0")]
    bad_options = [
        ({"points": 1}, "between 2 and 7, got 1"),
        ({"points": 8}, "got 8"),
        ({"moves": "swap"}, "did you mean 'swaps'"),
    ]
    bad_prompts = [({"points": 2}, "ab=", "foreign characters 'b'"), ({}, "a1=", "moves must be of")]
    # The last thing of an arrangement follows from the others, so that some reads could be left out.
    minimal = False
    relations = [
        ({"points": 2, "moves": "cycle"}, list(range(1, 9)), [30]),
        ({"points": 3}, list(range(1, 9)), [30]),
    ]

    def test_the_relations_never_contradict_each_other_on_five_points(self):
        assert_relations_hold(self.task(), small=[1, 2, 3, 8], large=[30], count=1000, all_seen=False)

    def test_the_moves_generate_all_arrangements(self):
        for moves in ("swaps", "adjacent", "cycle"):
            task = self.task(points=4, moves=moves, cot=False)
            assert len(set(task.sample(20, 2000, np.random.default_rng(0)).answer_strings())) >= 12  # of one parity
            both = {a for n in (20, 21) for a in task.sample(n, 2000, np.random.default_rng(0)).answer_strings()}
            assert len(both) == 24
