"""What batches of fresh and of stored rows have in common: every batch is a pure function of (seed, step)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from ..tasks import Samples, Task
from ..tasks.task import check_integer
from .encode import encode
from .tokenizer import character_table, check_characters


class Batches:
    """`batch(step)` gives the same rows whenever and wherever it is called.

    Resuming at a step therefore needs no state, and the rows of a step do not depend on the number of processes.

    Args:
        task: the task.
        tokenizer: from `build_tokenizer(task)`.
        batch_size: rows of a global batch, over all processes.
        groups: a batch is made of this many groups of equal size; the rows of a group share one scale, so that a
            relative position bias is the same for all of them.
        seed: integer >= 0.

    Raises:
        ValueError: `groups` does not divide `batch_size`, a number is out of range, or the tokenizer lacks characters
            of the task.
    """

    def __init__(
        self, task: Task, tokenizer: PreTrainedTokenizerFast, batch_size: int, groups: int = 1, seed: int = 0
    ) -> None:
        check_characters(task.vocabulary, tokenizer)
        for name, value, least in (("batch_size", batch_size, 1), ("groups", groups, 1), ("seed", seed, 0)):
            check_integer(name, value, least)
        if batch_size % groups:
            raise ValueError(f"groups must divide batch_size, got batch_size={batch_size}, groups={groups}")
        self.task, self.batch_size, self.groups, self.seed = task, batch_size, groups, seed
        self.table = character_table(tokenizer)
        self.specials = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id

    def samples(self, step: int) -> Samples:
        """The rows of the global batch of a step, group after group."""
        raise NotImplementedError

    def reached(self, steps: int) -> tuple[int, int]:
        """The smallest and largest n of so many steps."""
        raise NotImplementedError

    def generator(self, stream: int, step: int) -> np.random.Generator:
        """What draws the rows of a step; `stream` tells the kinds of batches apart."""
        check_integer("step", step, 0)
        return np.random.default_rng([self.seed, self.task.digest, stream, step])

    def encoded(self, samples: Samples) -> dict[str, Any]:
        """The rows as arrays, as `encode` makes them."""
        return encode(samples, self.table, *self.specials)

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> dict[str, torch.Tensor]:
        """One process's share of the batch of a step: the rows rank, rank + world_size, ... of every group.

        Returns:
            int64 tensors: `input_ids`, `attention_mask`, `labels` (batch_size / world_size, L), as `encode`
            makes them, and `scale_hint` (batch_size / world_size, hints). L is the same for all ranks.

        Raises:
            ValueError: `world_size` does not divide the size of a group, or `rank` is not in [0, world_size).
        """
        arrays = self.encoded(self.samples(step))
        rows = shared_rows(self.batch_size, self.groups, rank, world_size)
        return {key: torch.from_numpy(array[rows]) for key, array in arrays.items()}


def shared_rows(batch_size: int, groups: int, rank: int, world_size: int) -> np.ndarray:
    """The numbers of the rows rank, rank + world_size, ... of every group of a global batch. ValueError as for
    `Batches.batch`."""
    check_integer("world_size", world_size, 1)
    check_integer("rank", rank, 0)
    size = batch_size // groups
    if size % world_size or rank >= world_size:
        raise ValueError(
            f"world_size must divide the {size} rows of a group and rank be below it, "
            f"got rank={rank}, world_size={world_size}"
        )
    return np.arange(batch_size).reshape(groups, size)[:, rank::world_size].ravel()
