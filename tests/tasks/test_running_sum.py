from .contract import TaskContract


class TestRunningSum(TaskContract):
    name = "running_sum"
    variants = [{"modulus": modulus} for modulus in (2, 7, 10, 36)]
    large = [10_000]
    large_rows = 5
    examples = [({}, "3160=", "3433"), ({"modulus": 10}, "999=", "987"), ({"modulus": 16}, "ff=", "fe")]
    digests = [({}, "ae5d47ab4d63f213"), ({"modulus": 36}, "bbf6c2d5df882c0e")]
    bad_options = [({"modulus": 1}, "between 2 and 36, got 1"), ({"modulus": 37}, "between 2 and 36, got 37")]
    bad_prompts = [({}, "17=", "foreign characters '7'")]
    relations = [({"modulus": modulus}, list(range(1, 9)), [30]) for modulus in (2, 7)]
