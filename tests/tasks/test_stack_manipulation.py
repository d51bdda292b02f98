from .contract import TaskContract


class TestStackManipulation(TaskContract):
    name = "stack_manipulation"
    ragged = True
    large = [10_000]
    large_rows = 5
    examples = [
        ({}, "abbB--=", "ba"),
        ({}, "abbaB--=", "bba"),
        ({}, "bba---=", ""),
        ({}, "a--B=", "b"),
        ({}, "a=", "a"),
    ]
    digests = [({}, "36178ceeb1d51da5")]
    bad_prompts = [({}, prompt, "a stack of 'a' and 'b' and then actions") for prompt in ("A-=", "a-b=", "-=")]
