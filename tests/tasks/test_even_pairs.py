from .contract import TaskContract


class TestEvenPairs(TaskContract):
    name = "even_pairs"
    examples = [({}, "00110=", "0"), ({}, "0101=", "1"), ({}, "001110=", "0"), ({}, "0101001=", "1")]
    digests = [({}, "82d9483a41ec2648")]
    relations = [({}, list(range(1, 9)), [30])]
