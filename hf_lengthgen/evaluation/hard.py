"""The share of hard cases among the examples of an evaluation."""

from typing import Any

HARD = 0.25  # unless another one is asked for: models trained on different shares meet the same test


def with_hard(task: Any, hard: float | None) -> Any:
    """`task` with this share of hard cases; as it is for None, or if it has no such option."""
    if hard is None or task.options.get("hard", hard) == hard:
        return task
    return type(task)(**{**task.options, "hard": hard})
