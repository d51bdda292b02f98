"""Answers as text: the final answer alone, and the steps of a chain of thought one by one. Pure functions.

Steps are compared at the place where they should stand, so that a broken step leaves the others readable; what a model
inserts or leaves out makes all later steps wrong.
"""

from collections.abc import Sequence
from typing import Any

from ..tasks.formats import Grammar, Repeat
from ..tasks.formatted import FormattedTask


def final_match(task: Any, written: str | None, wanted: str) -> bool:
    """Whether the final answers (`task.final`) agree; never if `written` is None, an answer that did not end.

    For a task without a chain of thought this is exact match.
    """
    if written is None:
        return False
    try:
        return task.final(written) == task.final(wanted)
    except (ValueError, IndexError):  # so far from the format that there is no final answer in it
        return False


def step_spans(task: Any, answer: str) -> list[slice]:
    """Where the steps of the chain of thought stand in a right answer; [] for a task without.

    A task with a grammar says what its steps are; elsewhere every character before the final separator is one.

    Raises:
        ValueError: `answer` does not have the task's format.
    """
    if isinstance(task, FormattedTask) and task.answer_grammar.steps is not None:
        return _grammar_spans(task, answer)
    if task.final_separator is None:
        return []
    chain, found, _ = answer.rpartition(task.final_separator)
    if not found:
        raise ValueError(f"{answer[:40]!r} has no final separator {task.final_separator!r}.")
    return [slice(place, place + 1) for place in range(len(chain))]


def step_matches(task: Any, written: str | None, wanted: str) -> list[bool]:
    """For every step of the right answer `wanted`, whether `written` has the same characters at its place."""
    text = written or ""
    return [text[span] == wanted[span] for span in step_spans(task, wanted)]


def step_accuracy(task: Any, written: Sequence[str | None], wanted: Sequence[str]) -> float | None:
    """Share of right steps over several answers; None if there are no steps."""
    matches = [match for pair in zip(written, wanted, strict=True) for match in step_matches(task, *pair)]
    return sum(matches) / len(matches) if matches else None


def final_accuracy(task: Any, written: Sequence[str | None], wanted: Sequence[str]) -> float:
    """Share of right final answers; at least one answer is needed."""
    if not wanted:
        raise ValueError("final_accuracy needs at least one answer.")
    return sum(final_match(task, *pair) for pair in zip(written, wanted, strict=True)) / len(wanted)


def answer_scores(task: Any, written: Sequence[str | None], wanted: Sequence[str]) -> dict[str, float | None]:
    """Both, by the names they have in a LengthResult."""
    return {
        "final_accuracy": final_accuracy(task, written, wanted),
        "step_accuracy": step_accuracy(task, written, wanted),
    }


def _grammar_spans(task: FormattedTask, answer: str) -> list[slice]:
    """Each piece is written anew, to see how long it is."""
    values = task.read_answer(answer)
    start = {"start": values["start"]} if "start" in values else {}
    spans, at = [], 0
    for piece in task.answer_grammar.pieces:
        if isinstance(piece, Repeat) and piece.name == task.answer_grammar.steps:
            record = Grammar(*piece.pieces)
            for index, step in enumerate(values[piece.name]):
                at += len(piece.between) if index else 0
                end = at + len(record.write(step | start))
                spans.append(slice(at, end))
                at = end
        else:
            at += len(Grammar(piece).write(values))
    return spans
