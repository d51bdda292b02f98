"""Train, validation and test rows are told apart by a hash of the prompt: no prompt is ever in two splits."""

import numpy as np

from ..tasks import Samples, Task

SPLITS = ("train", "validation", "test")
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
_ROUNDS = 8  # tries to fill a scale: one or two are enough unless the split is nearly empty there
_CELLS = 1 << 22  # characters hashed at once: 32 MB


def prompt_hash(prompts: np.ndarray) -> np.ndarray:
    """A 64-bit hash of every prompt, the same on every machine: uint8 (count, P) -> uint64 (count,).

    The sum of code times a fixed random weight per place, modulo 2^64, stirred at the end. Padding has code 0
    and adds nothing, so the hash does not depend on P.
    """
    weights = _stir(np.arange(1, prompts.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    sums = np.empty(len(prompts), dtype=np.uint64)
    step = max(1, _CELLS // max(1, prompts.shape[1]))
    for start in range(0, len(prompts), step):
        sums[start : start + step] = prompts[start : start + step].astype(np.uint64) @ weights
    return _stir(sums)


def split_of(prompts: np.ndarray) -> np.ndarray:
    """The split of every prompt as an index into SPLITS: uint8 (count, P) -> int64 (count,)."""
    tenth = (prompt_hash(prompts) % np.uint64(10)).astype(np.int64)
    return np.maximum(tenth - 7, 0)  # 0..7 train, 8 validation, 9 test


def sample_split(task: Task, split: str, scales: np.ndarray, rng: np.random.Generator) -> Samples:
    """One row per entry of `scales` (count, hints), in their order, all belonging to `split`.

    Where a split has few prompts of some scale, they repeat; where it has none (there are only ten strings of
    one letter), those rows get the scale of another row.

    Raises:
        ValueError: the split has no prompt of any of these scales.
    """
    kinds, kind_of_row = np.unique(scales, axis=0, return_inverse=True)
    kind_of_row = kind_of_row.ravel()
    counts = np.bincount(kind_of_row, minlength=len(kinds))
    pools = [_fill(task, split, tuple(kind), count, rng) for kind, count in zip(kinds, counts, strict=True)]
    found = [kind for kind, pool in enumerate(pools) if len(pool)]
    if not found:
        raise ValueError(
            f"task {task.name!r} has no prompts for split {split!r} at n = {kinds.min()} to {kinds.max()}: "
            f"there are too few instances of so small a scale; use a larger n_max or split='train'"
        )
    missing = np.flatnonzero(~np.isin(kind_of_row, found))
    kind_of_row[missing] = rng.choice(found, size=len(missing))
    parts, place, start = [], np.empty(len(scales), dtype=np.int64), 0
    for kind in found:
        wanted = np.flatnonzero(kind_of_row == kind)
        parts.append(pools[kind][np.arange(len(wanted)) % len(pools[kind])])
        place[wanted] = np.arange(start, start + len(wanted))
        start += len(wanted)
    return Samples.concatenate(parts)[place]


def _fill(task: Task, split: str, scale: tuple[int, ...], count: int, rng: np.random.Generator) -> Samples:
    """Up to `count` rows of one scale in the split; fewer only where the split is (nearly) empty there."""
    kept: list[Samples] = []
    need = int(count)
    for _ in range(_ROUNDS):
        drawn = task.sample(scale, int(1.25 * need / SHARES[split]) + 16, rng)
        kept.append(drawn[split_of(drawn.prompts) == SPLITS.index(split)][:need])
        need -= len(kept[-1])
        if need == 0:
            break
    return Samples.concatenate(kept)


def _stir(values: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64: every bit of the result depends on every bit of the value."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
