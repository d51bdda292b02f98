import pytest

from .checks import relations_determine
from .contract import TaskContract


class TestShift(TaskContract):
    name = "shift"
    variants = [{}, {"k": 2}, {"k": 5}]
    examples = [({}, "abcd=", "bcda"), ({"k": 3}, "abcd=", "dabc"), ({"k": 3}, "ab=", "ba")]
    digests = [({}, "67913a4e4f0632d3")]
    bad_options = [({"k": 0}, "'k' must be at least 1, got 0")]
    relations = [({"k": k, "symbols": "abc"}, list(range(1, 9)), [30]) for k in (1, 2, 3, 5)]
    minimal = False  # for k = 1, where the first relation tells the end too; otherwise see below

    @pytest.mark.parametrize("k", [2, 3])
    def test_from_k_2_on_every_relation_is_needed(self, k):
        task = self.task(k=k, symbols="abc")
        for left_out in task.ideal_relations:
            rest = [relation for relation in task.ideal_relations if relation != left_out]
            assert not relations_determine(task, rest, range(1, 9)), left_out
