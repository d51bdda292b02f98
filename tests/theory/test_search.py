import itertools

import numpy as np
import pytest

from hf_lengthgen.theory.search import DependencySearch, SearchBudget, conflicts, encode_rows


def determines(columns, target, chosen):
    seen = {}
    rows = zip(columns[:, list(chosen)].tolist(), target.tolist(), strict=True)
    return all(seen.setdefault(tuple(row), value) == value for row, value in rows)


def brute_force(columns, target, size):
    """Sets of this size that work and no part of which does."""
    return [
        chosen
        for chosen in itertools.combinations(range(columns.shape[1]), size)
        if determines(columns, target, chosen)
        and not any(
            determines(columns, target, part) for part in itertools.combinations(chosen, max(size - 1, 0)) if size
        )
    ]


@pytest.mark.parametrize("seed", range(30))
def test_smallest_sets_are_those_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    symbols, width = int(rng.integers(2, 5)), int(rng.integers(3, 9))
    columns = rng.integers(0, symbols, size=(int(rng.integers(5, 200)), width)).astype(np.uint8)
    hidden = rng.choice(width, size=int(rng.integers(0, 4)), replace=False)
    target = (columns[:, hidden].astype(int) @ rng.integers(1, 9, size=len(hidden))) % 5
    search = DependencySearch(columns, target, rng)
    expected = next((found for size in range(width + 1) if (found := brute_force(columns, target, size))), [])
    assert search.smallest(width, most=1000) == expected
    below = list(expected)
    for size in range(len(expected[0]) + 1, min(len(expected[0]) + 3, width) + 1):
        found = brute_force(columns, target, size)
        assert search.of_size(size, 1000, below) == found
        below += found


def test_the_budget_is_kept():
    rng = np.random.default_rng(1)
    columns = rng.integers(0, 2, size=(400, 14)).astype(np.uint8)
    target = columns.sum(axis=1) % 2
    with pytest.raises(SearchBudget):
        DependencySearch(columns, target, rng, budget=50).smallest(13)
    assert DependencySearch(columns, target, rng).smallest(14) == [tuple(range(14))]


def test_nothing_is_found_where_the_target_is_not_determined():
    columns = np.array([[0, 1], [0, 1]], dtype=np.uint8)
    assert DependencySearch(columns, np.array([0, 1]), np.random.default_rng(0)).smallest(2) == []


def test_the_limit_and_the_most_are_kept():
    rng = np.random.default_rng(1)
    columns = rng.integers(0, 3, size=(300, 5)).astype(np.uint8)
    target = columns[:, :3].sum(axis=1)
    assert DependencySearch(columns, target, rng).smallest(2) == []
    doubled = np.concatenate([columns, columns], axis=1)
    search = DependencySearch(doubled, target, rng)
    assert len(search.smallest(3)) == 8 and len(search.smallest(3, most=2)) == 2


def test_codes_are_equal_exactly_for_equal_rows():
    rng = np.random.default_rng(2)
    columns = rng.integers(0, 200, size=(500, 20)).astype(np.int64)
    columns[250:] = columns[:250]
    columns[400, 19] += 1
    code = encode_rows(columns, range(20), 201)
    _, expected = np.unique(columns, axis=0, return_inverse=True)
    for a, b in rng.integers(0, 500, size=(2000, 2)):
        assert (code[a] == code[b]) == (expected[a] == expected[b])
    assert (code[250:400] == code[:150]).all() and code[400] != code[150]


def test_conflicts():
    assert conflicts(np.array([3, 1, 3, 1, 2]), np.array([0, 5, 1, 5, 7])).tolist() == [True, False, True, False, False]
    assert conflicts(np.array([], dtype=int), np.array([], dtype=int)).tolist() == []
