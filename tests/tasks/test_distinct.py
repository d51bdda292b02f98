from collections import Counter

import numpy as np
import pytest

from hf_lengthgen.tasks import distinct
from hf_lengthgen.tasks.distinct import draw_distinct, draw_unrepeated

RNG = np.random.default_rng


@pytest.mark.parametrize(("n", "size"), [(2, 4), (3, 4), (1, 3), (4, 4)])  # n * n <= size and beyond
def test_numbers_are_different_and_uniform(n, size):
    count = 24_000
    drawn = Counter(map(tuple, draw_distinct(n, size, count, RNG(0)).tolist()))
    kinds = np.prod(range(size - n + 1, size + 1))
    assert len(drawn) == kinds and all(len(set(row)) == n for row in drawn)
    expected = count / kinds
    assert all(abs(times - expected) < 5 * np.sqrt(expected) for times in drawn.values())


def test_long_draws_go_in_pieces(monkeypatch):
    monkeypatch.setattr(distinct, "_CELLS", 100)
    drawn = draw_distinct(10, 20, 37, RNG(0))
    assert drawn.shape == (37, 10) and all(len(set(row)) == 10 for row in drawn.tolist())
    walks = draw_unrepeated(8, 10, 2, np.zeros(37, dtype=bool), RNG(0))
    assert walks.shape == (37, 8) and len(np.unique(walks, axis=0)) > 30


def test_no_rows():
    for window in (1, 2):
        assert draw_unrepeated(3, 5, window, np.zeros(0, dtype=bool), RNG(0)).shape == (0, 3)


@pytest.mark.parametrize(("n", "alphabet"), [(8, 4), (50, 10), (2, 2), (3, 3), (200, 50)])
def test_pairs_are_unique_up_to_the_limit(n, alphabet):
    symbols = draw_unrepeated(n, alphabet, 2, np.arange(200) % 2 == 0, RNG(1))
    assert symbols.max() < alphabet
    for row in symbols.tolist():
        pairs = list(zip(row, row[1:], strict=False))
        assert len(set(pairs)) == len(pairs)


def test_hard_rows_of_unique_symbols_are_in_order_and_of_unique_pairs_use_few_symbols():
    runs = draw_unrepeated(6, 10, 1, np.ones(100, dtype=bool), RNG(0))
    assert ((np.diff(runs.astype(int), axis=1) - 1) % 10 == 0).all() and len(set(runs[:, 0])) == 10
    few = draw_unrepeated(30, 60, 2, np.ones(100, dtype=bool), RNG(0))
    assert few.max() == 7
    assert draw_unrepeated(30, 60, 2, np.zeros(100, dtype=bool), RNG(0)).max() == 59
