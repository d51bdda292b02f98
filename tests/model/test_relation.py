"""LinearRelation: its readable form, and the key it names, against the definition a·i + b·j + c·n = d."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_lengthgen import LinearRelation

small = st.integers(-4, 4)


@given(a=small, b=small.filter(bool), c=st.lists(small, min_size=1, max_size=3), d=st.integers(-30, 30))
def test_text_round_trip(a, b, c, d):
    relation = LinearRelation(a, b, tuple(c), d).normalized()
    assert LinearRelation.parse(str(relation), hints=len(c)) == relation


@given(segment=st.integers(0, 3), d=small)
def test_segment_text_round_trip(segment, d):
    relation = LinearRelation(1, -1, (0, 0), d, segment)
    assert LinearRelation.parse(str(relation), hints=2) == relation


@pytest.mark.parametrize(
    ("text", "hints", "expected"),
    [
        ("i - j = 2n + 1", 1, (1, -1, (-2,), 1)),
        ("i-j=n", 1, (1, -1, (-1,), 0)),
        ("j = 0", 1, (0, 1, (0,), 0)),
        ("i + j = 2*n + 2", 1, (1, 1, (-2,), 2)),
        ("i - 2j = n", 1, (1, -2, (-1,), 0)),
        ("i - j = n0 + n1 + 2", 2, (1, -1, (-1, -1), 2)),
        ("n - j = -3", 1, (0, 1, (-1,), 3)),
        ("j = i - 1", 1, (1, -1, (0,), 1)),
    ],
)
def test_readable_forms(text, hints, expected):
    relation = LinearRelation.parse(text, hints=hints)
    assert (relation.a, relation.b, relation.c, relation.d) == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("i - j", "exactly one '='"),
        ("i = n", "name a key j"),
        ("i - j = m", "unknown symbol 'm'"),
        ("i - j = n1", "unknown symbol 'n1'"),
        ("i - j = ", "empty"),
        ("i - j = 2 3", "stuck at"),
        ("i - j = n?", "stuck at"),
        ("offset(i) - offset(j) = 1", "stuck at"),
    ],
)
def test_unreadable_texts(text, word):
    with pytest.raises(ValueError, match="relation") as error:
        LinearRelation.parse(text)
    assert word in str(error.value) and "\n" not in str(error.value)


def test_a_relation_without_a_key_is_refused():
    with pytest.raises(ValueError, match="b must not be 0"):
        LinearRelation(1, 0, (1,), 0)
    with pytest.raises(ValueError, match="segment relation"):
        LinearRelation(1, 1, (0,), 0, segment=0)


@given(a=small, b=small.filter(bool), c=small, d=st.integers(-20, 20), i=st.integers(0, 15), n=st.integers(1, 9))
def test_key_is_the_only_solution_up_to_the_query(a, b, c, d, i, n):
    solutions = [j for j in range(i + 1) if a * i + b * j + c * n == d]
    relation = LinearRelation(a, b, (c,), d)
    assert relation.key(i, (n,)) == (solutions[0] if solutions else None)
    assert len(solutions) <= 1


@given(a=small, b=small.filter(bool), c=small, d=st.integers(-20, 20))
def test_never_holds_is_never_wrong(a, b, c, d):
    relation = LinearRelation(a, b, (c,), d)
    if relation.never_holds:
        assert all(relation.key(i, (n,)) is None for i in range(30) for n in range(1, 8))
