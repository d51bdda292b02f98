"""Stored data sets of a task: a builder for the `datasets` library that makes whole Arrow tables."""

import hashlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.builder import Key

from ..tasks import Task
from ..tasks.task import Scale
from .encode import BOS, EOS, SPECIAL_TOKENS, vocabulary_table
from .lengths import Lengths
from .splits import SPLITS, Drawn, draw_split

BLOCK = 4096  # rows that share a random generator: what a row is depends on its index, not on num_proc
_CELLS = 1 << 20  # blocks of long rows are smaller: at most this many rows times n_max
_MAX_BYTES = 2**31 - 1  # of an Arrow string column
_BOS, _EOS = 128, 129  # what stands for <bos> and <eos> among ASCII codes
FEATURES = datasets.Features(
    {
        "prompt": datasets.Value("string"),
        "answer": datasets.Value("string"),
        "text": datasets.Value("string"),
        "tokens": datasets.List(datasets.Value("int16")),
        "answer_mask": datasets.List(datasets.Value("bool")),
        "n": datasets.Value("int32"),
        "scale_hint": datasets.List(datasets.Value("int32")),
        "difficulty": datasets.Value("int32"),
    }
)
_SCHEMA = FEATURES.arrow_schema


def block_rows(n_max: int) -> int:
    """Rows of a block: 4096, fewer where n_max exceeds 256, so that memory stays bounded."""
    return max(1, min(BLOCK, _CELLS // n_max))


def block_drawn(task: Task, split: str, seed: int, lengths: Lengths, block: int) -> Drawn:
    """The rows of one block of a split, `block_rows(lengths.largest)` many: a pure function of the arguments."""
    rng = np.random.default_rng([seed, task.digest, 1 + SPLITS.index(split), block])
    count = block_rows(lengths.largest)
    return draw_split(task, split, lengths.draw(task, count, rng, at=block * count), rng)


def drawn_table(task: Task, drawn: Drawn) -> pa.Table:
    """Rows as an Arrow table with the columns of FEATURES.

    Raises:
        ValueError: the rows exceed what an Arrow column can hold.
    """
    parts, order = drawn.parts, pa.array(drawn.order)
    texts = [np.concatenate([part.prompts, part.answers], axis=1) for part in parts]
    dense = [text.all() for text in texts]  # rows of one scale are mostly of one length
    prompts = _joined([part.prompts for part in parts], dense, order, pa.string())
    answers = _joined([part.answers for part in parts], dense, order, pa.string())
    framed = _joined([_framed(text) for text in texts], dense, order, pa.binary())
    # <bos> goes with the prompt, <eos> with the answer.
    runs = 1 + np.stack([np.diff(_offsets(prompts)), np.diff(_offsets(answers))], axis=1)
    learned = np.repeat(np.tile([False, True], len(order)), runs.ravel())
    ids = np.frombuffer(framed.buffers()[2].to_pybytes().translate(_token_table(task)), dtype=np.uint8)
    part_of_row = np.repeat(np.arange(len(parts)), [len(part) for part in parts])[drawn.order]
    hints = np.stack([part.scales[0] for part in parts]).astype(np.int32)[part_of_row]
    difficulty = np.concatenate([task.difficulty(part) for part in parts]).astype(np.int32)
    columns = {
        "prompt": prompts,
        "answer": answers,
        "text": _joined(texts, dense, order, pa.string()),
        "tokens": pa.ListArray.from_arrays(_offsets(framed), ids.astype(np.int16)),
        "answer_mask": pa.ListArray.from_arrays(_offsets(framed), _bits(learned)),
        "n": drawn.scales.max(axis=1).astype(np.int32)[part_of_row],
        "scale_hint": pa.ListArray.from_arrays(
            np.arange(len(hints) + 1, dtype=np.int32) * hints.shape[1], hints.ravel()
        ),
        "difficulty": difficulty[drawn.order],
    }
    return pa.table(columns, schema=_SCHEMA)


def _framed(text: np.ndarray) -> np.ndarray:
    """<bos> text <eos>, as codes."""
    codes = np.empty((len(text), text.shape[1] + 2), dtype=np.uint8)
    codes[:, 0], codes[:, -1] = _BOS, _EOS
    codes[:, 1:-1] = text
    return codes


def _joined(matrices: list[np.ndarray], dense: list[bool], order: pa.Array, kind: pa.DataType) -> pa.Array:
    """Rows of codes in this order, without the padding 0, which the matrices called dense do not have.

    Arrow moves whole rows; nothing is done character by character, unless rows of one scale differ in length.
    """
    widths = [codes.shape[1] for codes in matrices]
    sizes = np.repeat(widths, [len(codes) for codes in matrices])
    flat, start = [], 0
    for codes, full in zip(matrices, dense, strict=True):
        if full:
            flat.append(codes.ravel())
        else:
            present = codes != 0
            sizes[start : start + len(codes)] = np.count_nonzero(present, axis=1)
            flat.append(codes[present])
        start += len(codes)
    data = np.concatenate(flat)
    longest = max(widths)
    possible = max(len(order), len(sizes)) * longest
    if possible > _MAX_BYTES and max(len(data), sizes[order.to_numpy()].sum()) > _MAX_BYTES:
        raise ValueError(f"{len(order)} rows of {longest} characters exceed an Arrow column of {_MAX_BYTES} bytes")
    offsets = np.zeros(len(sizes) + 1, dtype=np.int32)
    np.cumsum(sizes, out=offsets[1:])
    rows = pa.Array.from_buffers(kind, len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return rows.take(order)


def _offsets(rows: pa.Array) -> np.ndarray:
    return np.frombuffer(rows.buffers()[1], dtype=np.int32)[: len(rows) + 1]


def _bits(flags: np.ndarray) -> pa.Array:
    packed = np.packbits(flags, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, pa.py_buffer(packed)])


def _token_table(task: Task) -> bytes:
    """Code -> token id: ids of characters and special tokens together are below 256."""
    table = vocabulary_table(task.vocabulary)
    table[_BOS], table[_EOS] = SPECIAL_TOKENS.index(BOS), SPECIAL_TOKENS.index(EOS)
    return table.astype(np.uint8).tobytes()


def source_digest(task: Task) -> str:
    """A digest of the code that makes rows, so that the cache notices when that code changes."""
    here = Path(__file__).parent
    own = [here / f"{name}.py" for name in ("builder", "encode", "lengths", "splits")]
    digest = hashlib.blake2b(digest_size=16)
    for file in [*sorted((here.parent / "tasks").glob("*.py")), *own]:
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
    rows: int = 10_000
    seed: int = 0
    n_min: Scale = 1
    n_max: Scale = 12
    length_weights: tuple[float, ...] | None = None
    curriculum: tuple[tuple[int, int], ...] | None = None
    priming_share: float = 0.0
    priming_n: tuple[int, int] | None = None


class TaskBuilder(datasets.ArrowBasedBuilder):
    """Builds one split of a task. Use `load_dataset`, which checks the arguments."""

    VERSION = datasets.Version("1.1.0")
    BUILDER_CONFIG_CLASS = TaskBuilderConfig
    DEFAULT_WRITER_BATCH_SIZE = BLOCK  # a block is written as it is made, not in pieces

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

    @property
    def lengths(self) -> Lengths:
        return Lengths(**{field.name: getattr(self.config, field.name) for field in fields(Lengths)})

    @property
    def blocks(self) -> list[int]:
        """The numbers of the blocks that the rows consist of."""
        return list(range(-(-self.config.rows // block_rows(self.lengths.largest))))

    def drawn(self, blocks: list[int]) -> Iterator[Drawn]:
        """The rows of these blocks."""
        config, lengths = self.config, self.lengths
        size = block_rows(lengths.largest)
        for block in blocks:
            rows = block_drawn(self.task, config.split, config.seed, lengths, block)
            yield rows.head(config.rows - block * size)

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(description=self.task.describe(), features=FEATURES)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        # A list is what `datasets` divides among processes.
        return [datasets.SplitGenerator(name=self.config.split, gen_kwargs={"blocks": self.blocks})]

    def _generate_tables(self, blocks: list[int]) -> Iterator[tuple[Key, pa.Table]]:
        for shard, drawn in enumerate(self.drawn(blocks)):
            yield Key(shard, 0), drawn_table(self.task, drawn)
