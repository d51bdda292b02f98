"""Exact match, token accuracy and the place of the first error: pure functions on integer arrays.

An answer counts only as a whole, `<eos>` included: one wrong symbol, an answer cut short and an answer that
runs on are all equally wrong. `IGNORE` (-100) marks the places of a target that hold no symbol.
"""

import numpy as np

IGNORE = -100


def align_left(labels: np.ndarray) -> np.ndarray:
    """Move the supervised tokens of each row to its start.

    Args:
        labels: int array (rows, length), `IGNORE` where nothing is supervised. Within a row the supervised
            tokens are taken in order of position.

    Returns:
        int array (rows, longest answer), filled up with `IGNORE`.
    """
    labels = np.asarray(labels)
    supervised = labels != IGNORE
    order = np.argsort(~supervised, axis=1, kind="stable")
    width = int(supervised.sum(axis=1).max(initial=0))
    return np.take_along_axis(labels, order, axis=1)[:, :width]


def exact_match(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Whether each row of `predicted` starts with the whole of its target.

    Args:
        predicted: int array (rows, P), the generated tokens from the first answer position on.
        target: int array (rows, T), the answer with its `<eos>`, filled up with `IGNORE`. What a row of
            `predicted` holds after its target's end is not looked at: `<eos>` has ended the answer there.

    Returns:
        bool array (rows,). A prediction that is shorter than its target is wrong.
    """
    return first_errors(predicted, target) < 0


def teacher_forced(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Score the predictions of one forward pass over prompt and answer.

    All answer tokens are right given the right tokens before them exactly when greedy decoding, which then
    only ever sees those same right tokens, writes the whole answer: teacher-forced and greedy exact match are
    the same number.

    Args:
        predicted: int array (rows, length), the most likely *next* token at every position.
        labels: int array (rows, length), the token *at* every position, `IGNORE` outside the answer.

    Returns:
        bool array (rows,): every supervised token is predicted by the position before it.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.shape != labels.shape or labels.ndim != 2:
        raise ValueError(
            f"predictions and labels must be tables of one shape, got {predicted.shape} and {labels.shape}."
        )
    wanted = labels[:, 1:] != IGNORE
    right = predicted[:, :-1] == labels[:, 1:]
    return (right | ~wanted).all(axis=1)


def right_tokens(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Which tokens of each target stand in `predicted` at their place; both as in `exact_match`.

    Returns:
        bool array (rows, T), False where the target holds `IGNORE`.
    """
    predicted, target = np.asarray(predicted), np.asarray(target)
    if predicted.ndim != 2 or target.ndim != 2 or len(predicted) != len(target):
        raise ValueError(
            "predictions and targets must be tables with equally many rows, "
            f"got the shapes {predicted.shape} and {target.shape}."
        )
    width = min(predicted.shape[1], target.shape[1])
    right = np.zeros(target.shape, dtype=bool)
    right[:, :width] = (predicted[:, :width] == target[:, :width]) & (target[:, :width] != IGNORE)
    return right


def token_accuracy(predicted: np.ndarray, target: np.ndarray) -> float:
    """Share of the targets' tokens (with `<eos>`) that stand in `predicted` at their place, over all rows.

    What a model writes after its first error was written on the ground of that error: this number is that of free
    generation, and lower than the one of `teacher_forced`.

    Raises:
        ValueError: shapes that do not fit, or targets without a token.
    """
    right, total = right_tokens(predicted, target), int((np.asarray(target) != IGNORE).sum())
    if not total:
        raise ValueError("token_accuracy needs at least one token in the targets.")
    return int(right.sum()) / total


def first_errors(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where each row of `predicted` first departs from its target; both as in `exact_match`.

    Returns:
        int array (rows,): the place of the first wrong token, 0 being the answer's first; -1 where all are right.
    """
    wrong = (np.asarray(target) != IGNORE) & ~right_tokens(predicted, target)
    return np.where(wrong.any(axis=1), wrong.argmax(axis=1) if wrong.shape[1] else -1, -1)


def error_histogram(errors: np.ndarray, sizes: np.ndarray, bins: int = 10) -> np.ndarray:
    """How many first errors lie in each of `bins` equal parts of the answer.

    Args:
        errors: int array (rows,), as from `first_errors`; -1 is not counted.
        sizes: int array (rows,), tokens of each answer with its `<eos>`.

    Returns:
        int array (bins,), the answers' beginnings first.

    Raises:
        ValueError: bins below 1, or an error beyond its answer's end.
    """
    errors, sizes = np.asarray(errors), np.asarray(sizes)
    if bins < 1 or errors.shape != sizes.shape or (errors >= np.maximum(sizes, 1)).any():
        raise ValueError(f"error_histogram needs errors within answers of as many sizes, and bins >= 1, got {bins}.")
    wrong = errors >= 0
    return np.bincount(errors[wrong] * bins // sizes[wrong], minlength=bins)
