import numpy as np

from .contract import TaskContract


class TestDyck(TaskContract):
    name = "dyck"
    ragged = True
    variants = [{}, {"k": 1}, {"k": 4}, {"form": "validity"}, {"k": 1, "form": "validity"}]
    large = [10_000]
    large_rows = 5
    examples = [
        ({}, "([](=", "))"),
        ({}, "([])=", ""),
        ({"k": 4}, "{<=", ">}"),
        ({"form": "validity"}, "([])=", "1"),
        ({"form": "validity"}, "([)]=", "0"),
        ({"form": "validity"}, "(=", "0"),
        ({"form": "validity"}, ")(=", "0"),
    ]
    digests = [({}, "f1d967cc60ec2c4f"), ({"form": "validity"}, "5ee4fe9ff8d1e28d")]
    bad_options = [
        ({"k": 0}, "between 1 and 4, got 0"),
        ({"k": 5}, "got 5"),
        ({"form": "close"}, "did you mean 'closing'"),
    ]
    bad_prompts = [({}, "([)]=", "bracket 3 of '\\(\\[\\)\\]' closes none"), ({"k": 1}, "[]=", "foreign characters")]

    def test_half_of_the_strings_are_balanced(self):
        for hard in (0.0, 1.0):
            for k in (1, 2, 4):
                answers = self.task(form="validity", k=k, hard=hard).sample(12, 4000, np.random.default_rng(0)).answers
                assert abs((answers == ord("1")).mean() - 0.5) < 0.04  # five standard deviations
