from .contract import TaskContract


class TestMode(TaskContract):
    name = "mode"
    variants = [{}, {"symbols": "ba"}]
    examples = [({}, "bacab=", "a"), ({"symbols": "cba"}, "abc=", "c"), ({}, "cbb=", "b")]
    digests = [({}, "da0bb8ee8c27fdf2")]
    bad_options = [({"symbols": "aa"}, "two or more different")]
