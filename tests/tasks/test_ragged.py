import numpy as np
import pytest

from hf_lengthgen.tasks import get_task
from hf_lengthgen.tasks.ragged import fill_ragged

RAGGED = ["dyck", "scan", "stack_manipulation"]


def test_fill_ragged():
    filled = fill_ragged(np.array([2, 0, 3]), lambda row, place: 10 * (row + 1) + place)
    assert filled.tolist() == [[10, 11, 0], [0, 0, 0], [30, 31, 32]]
    assert fill_ragged(np.zeros(2, dtype=int), lambda row, place: row).shape == (2, 0)


@pytest.mark.parametrize("name", RAGGED)
def test_answers_of_one_scale_differ_in_length_and_the_longest_is_declared(name):
    task = get_task(name, hard=0.5)
    for n in (1, 2, 3, 4, 5, 6):
        lengths = (task.sample(n, 20_000, np.random.default_rng(n)).answers != 0).sum(axis=1)
        assert lengths.max() == task.lengths(n)[1], n
        assert n == 1 or len(np.unique(lengths)) > 1


@pytest.mark.parametrize("name", RAGGED)
def test_the_example_has_an_answer(name):
    assert "->    (" not in get_task(name).describe()
