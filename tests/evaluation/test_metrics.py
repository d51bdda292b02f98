import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_lengthgen.evaluation.metrics import IGNORE, align_left, exact_match, teacher_forced

EOS, PAD = 2, 0
answers = st.lists(st.lists(st.integers(4, 6), max_size=4), min_size=1, max_size=6)


def padded(rows, fill, width=None):
    width = max(map(len, rows)) if width is None else width
    return np.array([row + [fill] * (width - len(row)) for row in rows]).reshape(len(rows), width)


@given(answers, st.data())
def test_exact_match_compares_what_stands_before_the_first_eos(rows, data):
    """Against Python lists: cut a prediction at its first <eos>, then compare; without <eos> it never ended."""
    guesses = [
        data.draw(st.one_of(st.just(row + [EOS]), st.lists(st.sampled_from([EOS, 4, 5, 6]), max_size=6)))
        for row in rows
    ]
    want = [EOS in guess and guess[: guess.index(EOS)] == row for row, guess in zip(rows, guesses, strict=True)]
    got = exact_match(padded(guesses, PAD), padded([row + [EOS] for row in rows], IGNORE))
    assert got.tolist() == want


def test_cut_short_and_running_on_are_wrong():
    target = padded([[4, 5, EOS]] * 5, IGNORE)
    written = padded([[4, 5, EOS], [4, EOS, PAD], [4, 5, 5], [4, 5, 5, EOS], [4, 6, EOS]], PAD)
    assert exact_match(written, target).tolist() == [True, False, False, False, False]
    assert exact_match(written[:, :2], target).tolist() == [False] * 5  # generation ended for all before <eos>
    assert exact_match(np.zeros((5, 0), dtype=int), target).tolist() == [False] * 5


@given(answers, st.data())
def test_teacher_forced_looks_one_position_ahead(rows, data):
    """Against loops over rows and positions."""
    labels = padded([[IGNORE] * data.draw(st.integers(1, 3)) + row + [EOS] for row in rows], IGNORE)
    predicted = np.array([[data.draw(st.sampled_from([EOS, 4, 5, 6])) for _ in row] for row in labels])
    copied = data.draw(st.lists(st.integers(0, len(rows) - 1)))
    predicted[copied, :-1] = np.where(labels[copied, 1:] == IGNORE, 4, labels[copied, 1:])
    exact, right, total = teacher_forced(predicted, labels)
    hits = [
        [predicted[r, p - 1] == labels[r, p] for p in range(1, labels.shape[1]) if labels[r, p] != IGNORE]
        for r in range(len(rows))
    ]
    assert exact.tolist() == [all(row) for row in hits]
    assert (right, total) == (sum(map(sum, hits)), sum(map(len, hits)))


@given(answers, st.data())
def test_align_left_keeps_each_answer(rows, data):
    labels = padded([[IGNORE] * data.draw(st.integers(0, 3)) + row for row in rows], IGNORE)
    assert align_left(labels).tolist() == padded(rows, IGNORE).tolist()


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="equally many rows"):
        exact_match(np.zeros((2, 3)), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="one shape"):
        teacher_forced(np.zeros((2, 3)), np.zeros((2, 4)))
