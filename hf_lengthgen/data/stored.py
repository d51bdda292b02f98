"""Training batches from a data set that was built before."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from ..tasks import Samples, Task
from .batches import Batches
from .encode import text_codes

ANSWERED = 4  # rows of every scale whose answers are compared with the task's own
STORED = 4  # the stream of random numbers; 0 is that of fresh rows, 1 to 3 those of the splits


class StoredBatches(Batches):
    """Batches of the rows of a data set, drawn with replacement.

    The scale of a group is drawn as often as it occurs in the data set.

    Args:
        source: folder or Hub name for `datasets.load_dataset`; its split `train` is used. Columns `prompt`, `answer`
            and `scale_hint`, as `load_dataset` and `lengthgen data export` make them.
        task, tokenizer, batch_size, groups, seed: as for `Batches`.

    Raises:
        ValueError: what `Batches` refuses; the data set cannot be read, lacks a column, or has characters, scales or
            answers foreign to the task.
    """

    def __init__(
        self,
        source: str,
        task: Task,
        tokenizer: PreTrainedTokenizerFast,
        batch_size: int,
        groups: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(task, tokenizer, batch_size, groups, seed)
        rows = _read(source)
        self.parts = _by_scale(rows, task, source)
        # The column tells n; hints are what the format spends on it.
        n = np.array(rows["n"]) if "n" in rows.column_names else np.concatenate([p.scales.ravel() for p in self.parts])
        self.range = int(n.min()), int(n.max())
        sizes = np.array([len(part) for part in self.parts], dtype=float)
        self.shares = sizes / sizes.sum()

    def samples(self, step: int) -> Samples:
        rng = self.generator(STORED, step)
        size = self.batch_size // self.groups
        chosen = [self.parts[k] for k in rng.choice(len(self.parts), size=self.groups, p=self.shares)]
        return Samples.concatenate([part.take(rng.integers(len(part), size=size)) for part in chosen])

    def reached(self, steps: int) -> tuple[int, int]:
        """The smallest and largest n of the data set: any step may draw them."""
        return self.range

    def told(self) -> str:
        """One line for the user: how many rows there are, and of which n."""
        return f"{sum(map(len, self.parts)):,} rows of n = {self.range[0]} to {self.range[1]}."

    def longest(self) -> dict[str, torch.Tensor]:
        """The longest row, as a batch."""
        part = max(self.parts, key=lambda part: part.prompts.shape[1] + part.answers.shape[1])
        sizes = np.count_nonzero(part.prompts, axis=1) + np.count_nonzero(part.answers, axis=1)
        arrays = self.encoded(part.take(np.array([int(sizes.argmax())])))
        return {key: torch.from_numpy(array) for key, array in arrays.items()}


def _read(source: str) -> Any:
    import datasets

    try:
        # Not from the cache of `datasets`, which knows a local folder by its name alone.
        with tempfile.TemporaryDirectory() as cache:
            rows = datasets.load_dataset(source, split="train", cache_dir=cache, keep_in_memory=True)
    except Exception as problem:  # datasets has no common class for its failures
        reason = str(problem).strip().partition("\n")[0]
        kind = "folder" if Path(source).exists() else "name"
        raise ValueError(f"dataset: the {kind} {source!r} cannot be loaded: {reason}") from problem
    missing = [column for column in ("prompt", "answer", "scale_hint") if column not in rows.column_names]
    if missing:
        raise ValueError(f"dataset: {source!r} has no column {missing[0]!r}, only {', '.join(rows.column_names)}.")
    if not len(rows):
        raise ValueError(f"dataset: {source!r} has no rows in its split 'train'.")
    for column in ("prompt", "answer"):
        if not isinstance(rows[0][column], str):
            raise ValueError(
                f"dataset: the column {column!r} of {source!r} holds {type(rows[0][column]).__name__}, not text; a CSV "
                f"or JSON file has to quote it, and to be read with that column as a string."
            )
    return rows


def _by_scale(rows: Any, task: Task, source: str) -> list[Samples]:
    """The rows as arrays of characters, one `Samples` per scale, in ascending order."""
    hints = np.array(rows["scale_hint"], dtype=np.int64).reshape(len(rows), -1)
    if hints.shape[1] != task.hints:
        raise ValueError(
            f"dataset: {source!r} has {hints.shape[1]} Scale Hints a row, but task {task.name!r} has {task.hints}."
        )
    prompts, answers = np.array(rows["prompt"]), np.array(rows["answer"])
    foreign = sorted(set("".join(prompts) + "".join(answers)) - set(task.vocabulary))
    if foreign:
        raise ValueError(f"dataset: {source!r} has {foreign[0]!r}, which is foreign to task {task.name!r}.")
    kinds, kind = np.unique(hints, axis=0, return_inverse=True)
    order = np.argsort(kind.ravel(), kind="stable")
    bounds = np.cumsum(np.bincount(kind.ravel()))[:-1]
    parts = [part for part in np.split(order, bounds) if len(part)]
    for part in parts:
        for row in part[:ANSWERED]:
            _check_answer(task, str(prompts[row]), str(answers[row]), source)
    return [Samples(text_codes(prompts[part]), text_codes(answers[part]), hints[part]) for part in parts]


def _check_answer(task: Task, prompt: str, answer: str, source: str) -> None:
    """ValueError unless the task gives the prompt this answer: its options may be others than those of the rows."""
    try:
        own = task.answer(prompt)
    except ValueError as error:
        raise ValueError(f"dataset: {source!r} has a row that is none of task {task.name!r}: {error}") from None
    if own != answer:
        raise ValueError(
            f"dataset: {source!r} answers {prompt!r} with {answer!r}, task {task.name!r} with {own!r}: are its "
            f"task_options those of the rows?"
        )
