"""Stored data sets of a task: a builder for the `datasets` library that makes whole Arrow tables."""

import hashlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.builder import Key

from ..tasks import Samples, Task
from .splits import SPLITS, sample_split

BLOCK = 4096  # rows that share a random generator: what a row is depends on its index, not on num_proc
_CELLS = 1 << 20  # blocks of long rows are smaller: at most this many rows times n_max
_MAX_BYTES = 2**31 - 1  # of an Arrow string column
FEATURES = datasets.Features(
    {
        "prompt": datasets.Value("string"),
        "answer": datasets.Value("string"),
        "text": datasets.Value("string"),
        "n": datasets.Value("int32"),
        "scale_hint": datasets.List(datasets.Value("int32")),
    }
)


def block_rows(n_max: int) -> int:
    """Rows of a block: 4096, fewer where n_max exceeds 256, so that memory stays bounded."""
    return max(1, min(BLOCK, _CELLS // n_max))


def block_samples(task: Task, split: str, seed: int, n_min: int, n_max: int, block: int) -> Samples:
    """The rows of one block of a split, `block_rows(n_max)` many: a pure function of the arguments."""
    rng = np.random.default_rng([seed, task.digest, 1 + SPLITS.index(split), block])
    return sample_split(task, split, task.draw_scales(n_min, n_max, block_rows(n_max), rng), rng)


def samples_table(samples: Samples) -> pa.Table:
    """Rows as an Arrow table with the columns of FEATURES; `n` is the largest hint."""
    scales = samples.scales.astype(np.int32)
    offsets = np.arange(len(scales) + 1, dtype=np.int32) * scales.shape[1]
    return pa.table(
        {
            "prompt": _string_array(samples.prompts),
            "answer": _string_array(samples.answers),
            "text": _string_array(np.concatenate([samples.prompts, samples.answers], axis=1)),
            "n": scales.max(axis=1),
            "scale_hint": pa.ListArray.from_arrays(offsets, scales.ravel()),
        },
        schema=FEATURES.arrow_schema,
    )


def _string_array(codes: np.ndarray) -> pa.Array:
    present = codes != 0
    ends = np.cumsum(present.sum(axis=1))
    if ends[-1] > _MAX_BYTES:
        raise ValueError(
            f"{len(codes)} rows of {codes.shape[1]} characters exceed an Arrow column of {_MAX_BYTES} bytes"
        )
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.StringArray.from_buffers(len(codes), pa.py_buffer(offsets), pa.py_buffer(codes[present]))


def source_digest(task: Task) -> str:
    """A digest of the code that makes rows, so that the cache notices when that code changes."""
    here = Path(__file__).parent
    files = [*sorted((here.parent / "tasks").glob("*.py")), here / "splits.py", here / "builder.py"]
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(file.read_bytes())
    try:
        digest.update(inspect.getsource(type(task)).encode())  # a registered task lives elsewhere
    except (OSError, TypeError):
        digest.update(repr(type(task)).encode())
    return digest.hexdigest()


@dataclass
class TaskBuilderConfig(datasets.BuilderConfig):
    """What the rows depend on (see `load_dataset`); `task_digest` stands for the task's name and options."""

    task_digest: str = ""
    split: str = "train"
    n_min: int = 1
    n_max: int = 12
    rows: int = 10_000
    seed: int = 0


class TaskBuilder(datasets.ArrowBasedBuilder):
    """Builds one split of a task. Use `load_dataset`, which checks the arguments."""

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = TaskBuilderConfig

    def __init__(self, task: Task, cache_dir: str | None = None, **settings: Any) -> None:
        self.task = task  # an attribute, so that worker processes need no registry
        super().__init__(
            cache_dir=cache_dir,
            dataset_name="lengthgen",
            config_name=task.name,
            hash=source_digest(task),
            task_digest=f"{task.digest:016x}",
            **settings,
        )

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(description=self.task.describe(), features=FEATURES)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        count = -(-self.config.rows // block_rows(self.config.n_max))
        blocks = list(range(count))  # a list is what `datasets` divides among processes
        return [datasets.SplitGenerator(name=self.config.split, gen_kwargs={"blocks": blocks})]

    def _generate_tables(self, blocks: list[int]) -> Iterator[tuple[Key, pa.Table]]:
        config = self.config
        for shard, block in enumerate(blocks):
            samples = block_samples(self.task, config.split, config.seed, config.n_min, config.n_max, block)
            yield Key(shard, 0), samples_table(samples[: config.rows - block * len(samples)])
