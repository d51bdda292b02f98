import numpy as np

from .contract import TaskContract


class TestMajority(TaskContract):
    name = "majority"
    examples = [({}, "01101=", "1"), ({}, "0110=", "0"), ({}, "1=", "1")]
    digests = [({}, "0e0a124c4b14cb12")]
    bad_prompts = [({}, "012=", "foreign characters '2'")]

    def test_hard_rows_are_close_to_a_tie_and_both_answers_occur(self):
        for n in (20, 21):
            samples = self.task(hard=1.0).sample(n, 4000, np.random.default_rng(0))
            ones = (samples.prompts[:, :-1] == ord("1")).sum(axis=1)
            assert (abs(2 * ones - n) <= 2).mean() > 0.5
            assert 0.35 < (samples.answers == ord("1")).mean() < 0.65
