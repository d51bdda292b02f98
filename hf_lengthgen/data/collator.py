"""Stored rows -> batches: the collator, and a sampler whose batches hold rows of one scale."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from ..tasks import Samples
from ..tasks.task import check_integer
from .encode import encode, text_codes
from .tokenizer import character_table, check_characters


class TaskCollator:
    """Rows with `prompt`, `answer` and `scale_hint` -> a training batch, as `encode` lays it out.

    Works as `data_collator` of a transformers Trainer with `remove_unused_columns=False`.

    Args:
        tokenizer: from `build_tokenizer`.
        scale_hint: False leaves the hint out, for a model that takes none.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, scale_hint: bool = True) -> None:
        self.tokenizer, self.scale_hint = tokenizer, scale_hint
        self.table = character_table(tokenizer)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Returns int64 tensors `input_ids`, `attention_mask`, `labels` (B, L) and, unless it is left out, `scale_hint`
        (B, hints).

        Raises:
            ValueError: no rows, a missing column, a character that the tokenizer lacks, or hints of unequal
                number.
        """
        samples = rows_to_samples(rows)
        for codes in (samples.prompts, samples.answers):
            unknown = (self.table[codes] == self.tokenizer.unk_token_id) & (codes != 0)
            if unknown.any():
                row = rows[int(np.flatnonzero(unknown.any(axis=1))[0])]
                check_characters(row["prompt"] + row["answer"], self.tokenizer)
        tokenizer = self.tokenizer
        arrays = encode(samples, self.table, tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
        kept = arrays if self.scale_hint else {key: arrays[key] for key in arrays if key != "scale_hint"}
        return {key: torch.from_numpy(array) for key, array in kept.items()}


def rows_to_samples(rows: Sequence[Mapping[str, Any]]) -> Samples:
    """Rows of a data set -> Samples; `scale_hint` may be an integer or a list of integers.

    Raises:
        ValueError: no rows, a missing column, a character beyond Latin-1, or hints of unequal number.
    """
    if not rows:
        raise ValueError("a batch needs at least one row, got none")
    for column in ("prompt", "answer", "scale_hint"):
        if any(column not in row for row in rows):
            raise ValueError(
                f"rows need prompt, answer and scale_hint, but {column!r} is missing among {sorted(rows[0])} "
                f"(a Trainer drops it unless remove_unused_columns=False)"
            )
    hints = [np.ravel(row["scale_hint"]) for row in rows]
    if len({len(hint) for hint in hints}) > 1:
        raise ValueError("rows of one batch must have equally many scale hints")
    codes = [text_codes([row[column] for row in rows]) for column in ("prompt", "answer")]
    return Samples(*codes, np.stack(hints).astype(np.int64))


class ScaleGroupedSampler(torch.utils.data.Sampler[list[int]]):
    """A batch sampler whose batches hold rows of one scale; pass it as `batch_sampler` of a DataLoader.

    Rows of one scale need no padding in fixed-width tasks, and share their relative positions. The order is a
    pure function of (seed, epoch).

    Args:
        scales: the rows' scales, (count,) or (count, hints): the column `scale_hint` of a data set.
        batch_size: rows of a batch; the last batch of a scale may be smaller.
        seed: integer >= 0.
        shuffle: False keeps the order of the rows within a scale, and the scales in ascending order.
        drop_last: True leaves out batches smaller than `batch_size`: needed by Accelerate with several
            processes.
    """

    def __init__(
        self, scales: Any, batch_size: int, seed: int = 0, shuffle: bool = True, drop_last: bool = False
    ) -> None:
        check_integer("batch_size", batch_size, 1)
        check_integer("seed", seed, 0)
        scales = np.asarray(list(scales))
        if not len(scales) or scales.ndim > 2 or not np.issubdtype(scales.dtype, np.integer):
            raise ValueError(f"scales must be integers, (count,) or (count, hints), got shape {scales.shape}")
        _, kind = np.unique(scales.reshape(len(scales), -1), axis=0, return_inverse=True)
        kind = kind.ravel()
        self.groups = np.split(np.argsort(kind, kind="stable"), np.cumsum(np.bincount(kind))[:-1])
        # A declared size makes Accelerate take smaller batches for the end of the epoch; None: sizes vary.
        self.batch_size = batch_size if drop_last else None
        self.drop_last = drop_last
        self.size, self.seed, self.shuffle, self.epoch = batch_size, seed, shuffle, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        check_integer("epoch", epoch, 0)
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of batches."""
        spare = 0 if self.drop_last else self.size - 1
        return sum((len(group) + spare) // self.size for group in self.groups)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        batches = []
        for group in self.groups:
            rows = rng.permutation(group) if self.shuffle else group
            batches += [rows[start : start + self.size].tolist() for start in range(0, len(rows), self.size)]
        if self.drop_last:
            batches = [batch for batch in batches if len(batch) == self.size]
        order = rng.permutation(len(batches)) if self.shuffle else range(len(batches))
        return (batches[number] for number in order)
