"""`load_dataset`: rows of a task as a `datasets` data set."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import datasets
from datasets.exceptions import DatasetGenerationError

from ..tasks import Task, get_task
from ..tasks.task import check_integer, nearest
from .builder import TaskBuilder
from .lengths import Lengths
from .splits import SPLITS


def load_dataset(
    task: str | Task,
    *,
    split: str = "train",
    n_min: int | tuple[int, ...] = 1,
    n_max: int | tuple[int, ...] = 12,
    rows: int = 10_000,
    seed: int = 0,
    streaming: bool = False,
    num_proc: int | None = None,
    cache_dir: str | os.PathLike | None = None,
    length_weights: Sequence[float] | Mapping[int, float] | None = None,
    curriculum: Mapping[int, int] | None = None,
    priming_share: float = 0.0,
    priming_n: int | tuple[int, int] | None = None,
    **task_options: Any,
) -> datasets.Dataset | datasets.IterableDataset:
    """Rows of a task, by default with every scale hint uniform in [n_min, n_max], made once and cached.

    Columns:
        prompt, answer, text: strings; `text` is both together.
        tokens: the row as `build_tokenizer(task)` encodes it, list of int16: <bos> prompt answer <eos>.
        answer_mask: list of bool, as long as `tokens`: True for the answer and <eos>, where the loss belongs.
        n: int32, the largest entry of the row's scale.
        scale_hint: list of int32, what a model with a Scale Hint is told.
        difficulty: int32, how hard the row is among those of its task, see `Task.difficulty`.

    `TaskCollator` makes batches of them.

    Row k depends on the task, its options, split, seed, the arguments about lengths and k alone: not on `num_proc`
    or `streaming`, and fewer `rows` give the beginning of more. The splits hold 80, 10 and 10% of all prompts
    and share none, whatever the seeds: a hash of the prompt decides. Where there are few prompts (n = 1 or 2,
    longer bit strings too), those of validation and test repeat, and a split that has none at some scale gets
    other scales instead.

    Args:
        task: name of a task, or a task.
        split: "train", "validation" or "test".
        n_min, n_max, length_weights, curriculum, priming_share, priming_n: how long rows are, see `Lengths`.
        rows: number of rows, at least 1.
        seed: integer >= 0.
        streaming: True makes rows as they are read and stores none.
        num_proc: processes that make rows.
        cache_dir: where the Arrow files go; default: the cache of `datasets`.
        **task_options: options of the task, if `task` is a name.

    Raises:
        ValueError: an unknown name or a forbidden value, or a split without prompts of these scales.
    """
    lengths = Lengths(n_min, n_max, length_weights, curriculum, priming_share, priming_n)
    builder = build(task, split, rows, seed, lengths, cache_dir, **task_options)
    if num_proc is not None:
        check_integer("num_proc", num_proc, 1)
    if streaming:
        return builder.as_streaming_dataset(split=split)
    try:
        builder.download_and_prepare(num_proc=num_proc)
    except DatasetGenerationError as error:
        if isinstance(error.__cause__, ValueError):  # our own sentence, not the library's wrapping
            raise error.__cause__ from None
        raise
    return builder.as_dataset(split=split)


def build(
    task: str | Task,
    split: str,
    rows: int,
    seed: int,
    lengths: Lengths,
    cache_dir: str | os.PathLike | None = None,
    **task_options: Any,
) -> TaskBuilder:
    """The builder of a split, its arguments checked: see `load_dataset`."""
    if isinstance(task, Task):
        if task_options:
            raise ValueError(f"options go with the name of a task, not with a task: {sorted(task_options)}")
    else:
        task = get_task(task, **task_options)
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; {nearest(split, SPLITS)}")
    lengths.check(task)
    check_integer("rows", rows, 1)
    check_integer("seed", seed, 0)
    directory = None if cache_dir is None else os.fspath(cache_dir)
    builder = TaskBuilder(
        task, cache_dir=directory, split=split, rows=int(rows), seed=int(seed), **dataclasses.asdict(lengths)
    )
    builder.check_curriculum()
    return builder
