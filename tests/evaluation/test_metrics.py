from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_lengthgen.evaluation.metrics import (
    IGNORE,
    align_left,
    error_histogram,
    exact_match,
    first_errors,
    right_tokens,
    teacher_forced,
    token_accuracy,
)

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
    exact = teacher_forced(predicted, labels)
    hits = [
        [predicted[r, p - 1] == labels[r, p] for p in range(1, labels.shape[1]) if labels[r, p] != IGNORE]
        for r in range(len(rows))
    ]
    assert exact.tolist() == [all(row) for row in hits]


@given(answers, st.data())
def test_align_left_keeps_each_answer(rows, data):
    labels = padded([[IGNORE] * data.draw(st.integers(0, 3)) + row for row in rows], IGNORE)
    assert align_left(labels).tolist() == padded(rows, IGNORE).tolist()


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="equally many rows"):
        exact_match(np.zeros((2, 3)), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="one shape"):
        teacher_forced(np.zeros((2, 3)), np.zeros((2, 4)))


@given(answers, st.data())
def test_right_tokens_first_errors_and_token_accuracy(rows, data):
    """Against loops: place by place up to the target's end."""
    guesses = [data.draw(st.lists(st.sampled_from([EOS, 4, 5, 6]), max_size=6)) for _ in rows]
    targets = [row + [EOS] for row in rows]
    hits = [
        [k < len(guess) and guess[k] == token for k, token in enumerate(target)]
        for guess, target in zip(guesses, targets, strict=True)
    ]
    written, target = padded(guesses, PAD), padded(targets, IGNORE)
    right = right_tokens(written, target)
    assert [row[: len(hit)].tolist() for row, hit in zip(right, hits, strict=True)] == hits
    assert all(not row[len(hit) :].any() for row, hit in zip(right, hits, strict=True))
    assert first_errors(written, target).tolist() == [hit.index(False) if False in hit else -1 for hit in hits]
    assert (first_errors(written, target) < 0).tolist() == exact_match(written, target).tolist()
    assert token_accuracy(written, target) == sum(map(sum, hits)) / sum(map(len, hits))


def test_first_errors_of_empty_answers_and_predictions():
    assert first_errors(np.zeros((2, 0), dtype=int), padded([[4, EOS], [EOS]], IGNORE)).tolist() == [0, 0]
    assert first_errors(np.zeros((2, 3), dtype=int), np.zeros((2, 0), dtype=int)).tolist() == [-1, -1]
    with pytest.raises(ValueError, match="at least one token"):
        token_accuracy(np.zeros((1, 1), dtype=int), padded([[IGNORE]], IGNORE))
    with pytest.raises(ValueError, match="equally many rows"):
        first_errors(np.zeros((2, 3)), np.zeros((3, 3)))


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(-1, 49)), max_size=20), st.integers(1, 12))
def test_error_histogram_counts_by_share_of_the_answer(pairs, bins):
    """Against exact fractions: an error at place e of s lies in part k where k / bins <= e / s < (k + 1) / bins."""
    pairs = [(size, min(error, size - 1)) for size, error in pairs]
    sizes, errors = (np.array([pair[axis] for pair in pairs], dtype=int) for axis in (0, 1))
    want = [
        sum(error >= 0 and Fraction(k, bins) <= Fraction(error, size) < Fraction(k + 1, bins) for size, error in pairs)
        for k in range(bins)
    ]
    assert error_histogram(errors, sizes, bins).tolist() == want


def test_error_histogram_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="within answers"):
        error_histogram(np.array([3]), np.array([3]))
    with pytest.raises(ValueError, match="bins >= 1"):
        error_histogram(np.array([0]), np.array([3]), 0)
