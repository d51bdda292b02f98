"""Training batches drawn on the fly, each a pure function of (seed, step)."""

from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from ..tasks import Samples, Task
from ..tasks.task import Scale, check_integer
from .encode import encode
from .lengths import Lengths
from .tokenizer import character_table, check_characters

ONLINE = 0  # the stream of random numbers; stored splits use 1, 2, 3 (see builder.py)


class OnlineBatches:
    """Fresh batches of a task; `batch(step)` gives the same rows whenever and wherever it is called.

    Resuming at a step therefore needs no state, and the rows of a step do not depend on the number of
    processes.

    Args:
        task: the task.
        tokenizer: from `build_tokenizer(task)`.
        n_min, n_max: by default every hint of a scale is uniform in [n_min, n_max].
        batch_size: rows of a global batch, over all processes.
        groups: a batch is made of this many groups of equal size; the rows of a group share one scale, so
            that a relative position bias is the same for all of them.
        seed: integer >= 0.
        **lengths: length_weights, curriculum, priming_share, priming_n, see `Lengths`. A curriculum counts steps, and
            of the groups, not the rows, a share is priming.

    Raises:
        ValueError: `groups` does not divide `batch_size`, a bad range, or the tokenizer lacks characters of
            the task.
    """

    def __init__(
        self,
        task: Task,
        tokenizer: PreTrainedTokenizerFast,
        n_min: Scale,
        n_max: Scale,
        batch_size: int,
        groups: int = 1,
        seed: int = 0,
        **lengths: Any,
    ) -> None:
        self.lengths = Lengths(n_min, n_max, **lengths)
        self.lengths.check(task)
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
        check_integer("step", step, 0)
        rng = np.random.default_rng([self.seed, self.task.digest, ONLINE, step])
        scales = self.lengths.draw(self.task, self.groups, rng, at=step)
        size = self.batch_size // self.groups
        return Samples.concatenate([self.task.sample(tuple(scale), size, rng) for scale in scales])

    def reached(self, steps: int) -> tuple[int, int]:
        """The smallest and largest n of so many steps."""
        return self.lengths.reached(steps)

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> dict[str, torch.Tensor]:
        """One process's share of the batch of a step: the rows rank, rank + world_size, ... of every group.

        Returns:
            int64 tensors: `input_ids`, `attention_mask`, `labels` (batch_size / world_size, L), as `encode`
            makes them, and `scale_hint` (batch_size / world_size, hints). L is the same for all ranks.

        Raises:
            ValueError: `world_size` does not divide the size of a group, or `rank` is not in [0, world_size).
        """
        arrays = encode(self.samples(step), self.table, *self.specials)
        return share(arrays, self.batch_size, self.groups, rank, world_size)


def share(
    arrays: dict[str, np.ndarray], batch_size: int, groups: int, rank: int, world_size: int
) -> dict[str, torch.Tensor]:
    """The rows rank, rank + world_size, ... of every group of a global batch, as tensors.

    Raises:
        ValueError: `world_size` does not divide the size of a group, or `rank` is not in [0, world_size).
    """
    rows = shared_rows(batch_size, groups, rank, world_size)
    return {key: torch.from_numpy(array[rows]) for key, array in arrays.items()}


def shared_rows(batch_size: int, groups: int, rank: int, world_size: int) -> np.ndarray:
    """The numbers of these rows. ValueError as for `share`."""
    check_integer("world_size", world_size, 1)
    check_integer("rank", rank, 0)
    size = batch_size // groups
    if size % world_size or rank >= world_size:
        raise ValueError(
            f"world_size must divide the {size} rows of a group and rank be below it, "
            f"got rank={rank}, world_size={world_size}"
        )
    return np.arange(batch_size).reshape(groups, size)[:, rank::world_size].ravel()
