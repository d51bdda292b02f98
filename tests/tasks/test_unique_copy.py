import numpy as np
import pytest

from .contract import TaskContract


class TestUniqueCopy(TaskContract):
    name = "unique_copy"
    variants = [{}]
    more_variants = [{"window": 2}]
    limits = [({}, 93, "of 93 printable symbols none may occur twice; window=2 is for longer strings.")]
    scales = [1, 2, 7, 20, 93]
    examples = [({}, "xqbz=", "xqbz"), ({"window": 2}, "xxqxz=", "xxqxz")]
    digests = [({}, "bd8fc642d8dcc7c2"), ({"window": 2}, "57ac4595b9e259a0")]
    bad_options = [({"window": 0}, "must be 1 or 2, got 0"), ({"window": 3}, "must be 1 or 2, got 3")]
    bad_prompts = [({}, "aba=", "no symbol may occur twice"), ({"window": 2}, "abab=", "no pair of neighbours")]
    # At n = 8 no symbol occurs twice, and the table is one entry per symbol.
    relations = [({"symbols": "abcdefghijklmnopqrstuvwxyzABCDE"}, list(range(1, 9)), [30])]

    def test_long_strings_have_unique_pairs(self):
        for n, rows in ((2, 1000), (7, 1000), (20, 1000), (100, 1000), (1000, 200), (4324, 2)):
            self.check_rows(self.task(window=2, hard=0.5), n, rows)

    def test_an_alphabet_beyond_ascii(self):
        symbols = "".join(map(chr, range(0xC0, 0x100))) + "abc"
        task = self.task(symbols=symbols)
        self.check_rows(task, 67, 1000)
        assert set("".join(task.sample(67, 1, np.random.default_rng(0)).answer_strings())) == set(symbols)

    def test_too_long_strings_are_refused(self):
        with pytest.raises(
            ValueError, match="n = 94 is too long .* n <= 93, unless there are more symbols or window=2"
        ):
            self.task().sample(94, 1, np.random.default_rng(0))
        with pytest.raises(ValueError, match="n = 9 is too long .* n <= 8, unless there are more symbols$"):
            self.task(symbols="abcd", window=2).sample(9, 1, np.random.default_rng(0))
