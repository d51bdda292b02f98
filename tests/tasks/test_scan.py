import numpy as np

from .contract import TaskContract


class TestScan(TaskContract):
    name = "scan"
    ragged = True
    large = [10_000]
    large_rows = 5
    examples = [
        ({}, "j>2&w=", ">j>jw"),
        ({}, "l%jo<=", "<<jl"),
        ({}, "w=", "w"),
        ({}, "ra<=", "<r<r<r<r"),
        ({}, "w%l&r%j=", "jlwr"),
        ({}, "wo>3=", ">>w>>w>>w"),
    ]
    digests = [({}, "7f320e75bb0c17c3")]
    bad_prompts = [
        ({}, "w&=", "'' in 'w&' is no clause"),
        ({}, "&w=", "'' in '&w' is no clause"),
        ({}, "wo=", "'wo' in 'wo' is no clause"),
        ({}, "w2<=", "is no clause"),
        ({}, "<=", "is no clause"),
        ({}, "w&&l=", "is no clause"),
        ({}, "x=", "foreign characters 'x'"),
    ]

    def test_every_short_command_is_drawn(self):
        clauses = [v + m + r for v in "wljr" for m in ("", "<", ">", "o<", "o>", "a<", "a>") for r in ("", "2", "3")]
        for n in (1, 2, 3):
            commands = {clause for clause in clauses if len(clause) == n}
            if n == 3:
                commands |= {a + joint + b for a in "wljr" for b in "wljr" for joint in "&%"}
            drawn = self.task(hard=0.5).sample(n, 5000, np.random.default_rng(0)).prompt_strings()
            assert {prompt[:-1] for prompt in drawn} == commands
