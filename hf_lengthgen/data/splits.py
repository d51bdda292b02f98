"""Train, validation and test rows are told apart by a hash of the prompt: no prompt is ever in two splits."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..tasks import Samples, Task

SPLITS = ("train", "validation", "test")
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
_SPLIT_OF_TENTH = np.array([0] * 8 + [1, 2])
_ROUNDS = 8  # tries to fill a scale: one or two are enough unless the split is nearly empty there
_CELLS = 1 << 22  # characters hashed at once: 32 MB
_SHIFTS = np.array([30, 27, 31], dtype=np.uint64)
_FACTORS = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)


def prompt_hash(prompts: np.ndarray) -> np.ndarray:
    """A 64-bit hash of every prompt, the same on every machine: uint8 (count, P) -> uint64 (count,).

    The sum of code times a fixed random weight per place, modulo 2^64, stirred at the end. Padding has code 0
    and adds nothing, so the hash does not depend on P.
    """
    places = prompts.shape[1]
    weights = _weights(places.bit_length())[:places]
    step = max(1, _CELLS // max(1, places))
    if len(prompts) <= step:
        return _stir(prompts.astype(np.uint64) @ weights)
    pieces = range(0, len(prompts), step)
    return np.concatenate([prompt_hash(prompts[start : start + step]) for start in pieces])


def split_of(prompts: np.ndarray) -> np.ndarray:
    """The split of every prompt as an index into SPLITS: uint8 (count, P) -> int64 (count,)."""
    return _SPLIT_OF_TENTH.take(prompt_hash(prompts) % np.uint64(10), mode="wrap")


@dataclass(frozen=True)
class Drawn:
    """Rows of many scales, kept scale by scale, so that nothing is padded.

    Attributes:
        parts: rows of one scale each.
        scales: the scales of the parts, int64 (parts, hints).
        order: row k is row order[k] of all parts one after another; int64 (count,).
    """

    parts: list[Samples]
    scales: np.ndarray
    order: np.ndarray

    def __len__(self) -> int:
        return len(self.order)

    def head(self, count: int) -> "Drawn":
        """The first rows."""
        return replace(self, order=self.order[:count])

    def samples(self) -> Samples:
        """All rows in their order, shorter ones padded on the right."""
        return Samples.concatenate(self.parts).take(self.order)


def sample_split(task: Task, split: str, scales: np.ndarray, rng: np.random.Generator) -> Samples:
    """`draw_split`, as one array of rows."""
    return draw_split(task, split, scales, rng).samples()


def draw_split(task: Task, split: str, scales: np.ndarray, rng: np.random.Generator) -> Drawn:
    """One row per entry of `scales` (count, hints), in their order, all belonging to `split`.

    Where a split has few prompts of some scale, they repeat; where it has none (there are only ten strings of
    one letter), those rows get the scale of another row.

    Raises:
        ValueError: the split has no prompt of any of these scales.
    """
    kinds, kind_of_row = _kinds(scales)
    counts = np.bincount(kind_of_row, minlength=len(kinds))
    pools = [_fill(task, split, tuple(kind), count, rng) for kind, count in zip(kinds.tolist(), counts, strict=True)]
    sizes = np.array([len(pool) for pool in pools])
    if not sizes.any():
        raise ValueError(
            f"task {task.name!r} has no prompts for split {split!r} at n = {kinds.min()} to {kinds.max()}: "
            f"there are too few instances of so small a scale; use a larger n_max or split='train'"
        )
    if not sizes.all():
        found = np.flatnonzero(sizes)
        missing = np.flatnonzero(~np.isin(kind_of_row, found))
        kind_of_row[missing] = rng.choice(found, size=len(missing))
        counts = np.bincount(kind_of_row, minlength=len(kinds))
    small = np.min_scalar_type(len(kinds))  # NumPy sorts integers of up to 16 bits ten times as fast
    rows = np.argsort(kind_of_row.astype(small), kind="stable")  # scale after scale
    number = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)  # within the scale
    if (sizes < counts).any():
        number %= np.repeat(np.maximum(sizes, 1), counts)
    order = np.empty(len(rows), dtype=np.int64)
    order[rows] = np.repeat(np.cumsum(sizes) - sizes, counts) + number
    kept = [kind for kind, size in enumerate(sizes) if size]
    return Drawn([pools[kind] for kind in kept], kinds[kept], order)


def _kinds(scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different scales in ascending order, and which of them each row has."""
    columns = scales.T
    least = np.array([column.min() for column in columns])
    spans = [int(column.max() - low) + 1 for column, low in zip(columns, least, strict=True)]
    if math.prod(spans) > 4 * len(scales):
        kinds, kind_of_row = np.unique(scales, axis=0, return_inverse=True)
        return kinds, kind_of_row.ravel()
    # Few possible scales: counting them is ten times as fast as the sorting that np.unique does.
    place = np.zeros(len(scales), dtype=np.int64)
    for column, low, span in zip(columns, least, spans, strict=True):
        place = place * span + (column - low)
    present = np.bincount(place, minlength=math.prod(spans)) > 0
    kinds = np.stack(np.unravel_index(np.flatnonzero(present), spans), axis=1) + least
    return kinds, (np.cumsum(present) - 1).take(place)


def _fill(task: Task, split: str, scale: tuple[int, ...], count: int, rng: np.random.Generator) -> Samples:
    """Up to `count` rows of one scale in the split; fewer only where the split is (nearly) empty there."""
    kept: list[Samples] = []
    need = int(count)
    for _ in range(_ROUNDS):
        drawn = task.sample(scale, int(1.25 * need / SHARES[split]) + 16, rng)
        (rows,) = np.nonzero(split_of(drawn.prompts) == SPLITS.index(split))
        kept.append(drawn.take(rows[:need]))
        need -= len(kept[-1])
        if need == 0:
            break
    return kept[0] if len(kept) == 1 else Samples.concatenate(kept)


@lru_cache(maxsize=32)
def _weights(bits: int) -> np.ndarray:
    """The weights of the first 2^bits places: those of fewer places are a beginning."""
    return _stir(np.arange(1, (1 << bits) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _stir(values: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64: every bit of the result depends on every bit of the value."""
    values = (values ^ (values >> _SHIFTS[0])) * _FACTORS[0]
    values = (values ^ (values >> _SHIFTS[1])) * _FACTORS[1]
    return values ^ (values >> _SHIFTS[2])
