import numpy as np
import pytest

from hf_lengthgen.tasks import get_task

from .contract import TaskContract


class TestSort(TaskContract):
    name = "sort"
    variants = [{}, {"symbols": "zab"}, {"symbols": "01234"}]
    large = [10_000]
    large_rows = 5
    examples = [
        ({}, "cabca=", "aabcc"),
        ({"symbols": "01234"}, "10204112=", "00111224"),
        ({"symbols": "zab"}, "abz=", "zab"),
        ({"unique": True}, "cab=", "abc"),
    ]
    digests = [
        ({}, "4415996ad18d6d54"),
        ({"unique": True, "symbols": "abcdefghijklmnopqrstuvwxyz"}, "a9a78245b7896157"),
    ]
    bad_prompts = [({"unique": True}, "aba=", "occurs twice.*unique=False")]


def test_more_unique_symbols_than_there_are():
    with pytest.raises(
        ValueError, match="^n = 11 is too long .* n <= 10, unless there are more symbols or unique=False$"
    ):
        get_task("sort", unique=True).sample(11, 1, np.random.default_rng(0))
