"""Several tasks for one model: one vocabulary, and every row opens with the mark of its task instead of <bos>.

The mark stands where <bos> stands otherwise, so that prompts, answers, positions and Scale Hints are those of each
task alone. (A first token that says what to do: 1909.05858.)
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from ..tasks import Samples, Task
from ..tasks.task import check_integer, nearest
from .tokenizer import build_tokenizer, scale_rule_ids

MIXED = 5  # the stream of random numbers that draws tasks; 0 to 4 are those of rows (see online.py, stored.py)


def task_mark(label: str) -> str:
    """The text of a task's mark: `<copy>`."""
    return f"<{label}>"


def build_mixed_tokenizer(tasks: Mapping[str, Task]) -> PreTrainedTokenizerFast:
    """The tokenizer of all `tasks`, by their labels: their characters in the order of first use, then their marks.

    It puts nothing in front of a prompt, which has to open with a mark: `<copy>abca=`. It saves and loads like the one
    of `build_tokenizer`.

    Raises:
        ValueError: fewer than two tasks, or a label that is not made of letters, digits, "_", "." and "-".
    """
    if len(tasks) < 2:
        raise ValueError(f"a mixture needs at least two tasks, got {', '.join(tasks) or 'none'}.")
    for label in tasks:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", label) or task_mark(label) in ("<pad>", "<bos>", "<eos>", "<unk>"):
            raise ValueError(f"a label is made of letters, digits, '_', '.' and '-', got {label!r}.")
    characters = dict.fromkeys("".join(task.vocabulary for task in tasks.values()))
    tokenizer = build_tokenizer("".join(characters))
    tokenizer.add_special_tokens({"extra_special_tokens": [task_mark(label) for label in tasks]})
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A")
    return tokenizer


def task_labels(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """The labels of the tasks whose marks a tokenizer has, in the order of their ids; [] for that of a single task."""
    added = tokenizer.get_added_vocab()
    marks = sorted(set(added) - set(tokenizer.special_tokens_map.values()), key=added.get)
    return [mark[1:-1] for mark in marks if mark.startswith("<") and mark.endswith(">")]


def task_tokenizer(tokenizer: PreTrainedTokenizerFast, label: str) -> PreTrainedTokenizerFast:
    """A copy with the same ids for the plain prompts of one task: its begin token is the mark, put in front by itself.

    Raises:
        ValueError: the tokenizer has no such mark.
    """
    labels = task_labels(tokenizer)
    if label not in labels:
        raise ValueError(f"the model was not trained on a task {label!r}; {nearest(label, labels)}")
    mark = task_mark(label)
    own = copy.deepcopy(tokenizer)
    own.bos_token = mark
    own.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{mark} $A", special_tokens=[(mark, own.convert_tokens_to_ids(mark))]
    )
    return own


def mixed_scale_rule(tasks: Mapping[str, Task], tokenizer: PreTrainedTokenizerFast) -> list[list[int | None]] | None:
    """The scale rule that all the tasks share, in token ids, counted from the first token; None if they differ.

    Raises:
        ValueError: the tasks have different numbers of Scale Hints.
    """
    hints = {label: task.hints for label, task in tasks.items()}
    if len(set(hints.values())) > 1:
        told = ", ".join(f"{label} {count}" for label, count in hints.items())
        raise ValueError(f"one model takes equally many Scale Hints for all of its tasks, these have: {told}.")
    first, *others = tasks.values()
    if any(task.scale_rule != first.scale_rule for task in others):
        return None
    bos = tokenizer.bos_token_id
    return [[None if start == bos else start, end] for start, end in scale_rule_ids(first, tokenizer)]


class MixedBatches:
    """Batches of several tasks in turn: the task of a step is drawn by the weights from (seed, step).

    The interface of `OnlineBatches`; nothing depends on what was drawn before.

    Args:
        parts: label -> the batches of one task, each with the tokenizer of `task_tokenizer`.
        weights: one positive number per part; a part is drawn with its share of their sum.
        seed: integer >= 0.

    Raises:
        ValueError: no parts, or weights that are not as many, positive and finite.
    """

    def __init__(self, parts: Mapping[str, Any], weights: Sequence[float], seed: int = 0) -> None:
        check_integer("seed", seed, 0)
        if not parts or len(weights) != len(parts):
            raise ValueError(f"a mixture needs one weight per task, got {len(weights)} for {len(parts)}.")
        if not all(0 < weight < float("inf") for weight in weights):
            raise ValueError(f"the weights of a mixture are positive numbers, got {list(weights)}.")
        self.parts, self.seed = dict(parts), seed
        self.shares = np.array(weights, dtype=float) / sum(weights)

    def label(self, step: int) -> str:
        """The task of a step."""
        check_integer("step", step, 0)
        rng = np.random.default_rng([self.seed, MIXED, step])
        return list(self.parts)[rng.choice(len(self.parts), p=self.shares)]

    def samples(self, step: int) -> Samples:
        """The rows of the global batch of a step."""
        return self.parts[self.label(step)].samples(step)

    def reached(self, steps: int) -> tuple[int, int]:
        """The smallest and largest n of so many steps."""
        ranges = [part.reached(steps) for part in self.parts.values()]
        return min(least for least, _ in ranges), max(most for _, most in ranges)

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> dict[str, torch.Tensor]:
        """One process's share of the batch of a step, as `OnlineBatches.batch` gives it."""
        return self.parts[self.label(step)].batch(step, rank, world_size)
