import hashlib

import numpy as np
import pytest

from hf_lengthgen.tasks import get_task
from hf_lengthgen.theory.sources import task_source


def digest(rows):
    return hashlib.blake2b(rows.tokens.tobytes() + rows.scales.tobytes(), digest_size=8).hexdigest()


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("copy", {}, "7b2f9ab7f1e6bfa3 12d15e9f73642872 c1c84a294b6f19b3"),
        ("addition", {"widths": "unequal", "base": 2}, "407843a43f674c73 5bdbff4cd8df1cb6 516461cb2b8b3ce1"),
        ("tape", {}, "f3243c67b1685f55 ca47aa67834698e4 55f74a23070abcc7"),
    ],
)
def test_the_rows_that_are_drawn_stay_the_same(name, options, expected):
    """The figures of docs/theory.md and results/ hang on them."""
    source = task_source(get_task(name, **options), 4, [5, 12], 0)
    assert " ".join(map(digest, (source.more(0), source.fresh, source.held_out))) == expected


def test_scales_are_those_that_the_task_draws():
    """A sum has at least two operands, whatever the other entry of the scale is."""
    task = get_task("multi_addition", operands=0, base=2)
    source = task_source(task, 3, [4, 6], 0)
    allowed = {task.hint((n, count)) for n in (1, 2, 3) for count in (2, 3)}
    assert set(map(tuple, source.more(0).scales.tolist())) == allowed
    assert source.held_out.largest.max() > source.n_max


def test_n_max_is_what_the_hint_counts():
    """The scale is the number of digits; the relations, and with them all that is said of n, count characters."""
    task = get_task("addition", base=2, index_hints="fixed")
    source = task_source(task, 4, [5, 6], 0)
    assert source.n_max == source.more(0).largest.max() == 8
    assert np.unique(source.held_out.largest).tolist() == [10, 12]
