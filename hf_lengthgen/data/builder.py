"""Stored data sets of a task: a builder for the `datasets` library that makes whole Arrow tables."""

import hashlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.builder import Key

from ..tasks import Samples, Task
from ..tasks.task import Scale
from .encode import BOS, EOS, IGNORED, PAD, SPECIAL_TOKENS, encode, vocabulary_table
from .lengths import Lengths
from .splits import SPLITS, Drawn, draw_split

BLOCK = 4096  # rows that share a random generator: what a row is depends on its index, not on num_proc
_CELLS = 1 << 20  # blocks of long rows are smaller: at most this many rows times n_max
_MAX_BYTES = 2**31 - 1  # of an Arrow string column
_ANSWER = 128  # added to the ASCII codes of answers, so that one array tells them from prompts
_FRAME = 128  # what stands for <bos> and <eos> among these codes: NUL is no character
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
    parts, sizes = drawn.parts, np.array([len(part) for part in drawn.parts])
    part_of_row = np.repeat(np.arange(len(parts)), sizes).take(drawn.order)
    hints = np.stack([part.scales[0] for part in parts]).astype(np.int32).take(part_of_row, axis=0)
    difficulty = np.concatenate([task.difficulty(part) for part in parts]).astype(np.int32)
    characters = _ascii_columns(task, drawn, sizes) if task.vocabulary.isascii() else _latin_columns(task, drawn)
    columns = {
        **characters,
        "n": drawn.scales.max(axis=1).astype(np.int32).take(part_of_row),
        "scale_hint": pa.ListArray.from_arrays(
            np.arange(len(hints) + 1, dtype=np.int32) * hints.shape[1], hints.ravel()
        ),
        "difficulty": difficulty.take(drawn.order),
    }
    return pa.table(columns, schema=_SCHEMA)


def _ascii_columns(task: Task, drawn: Drawn, sizes: np.ndarray) -> dict[str, pa.Array]:
    """The columns of characters and tokens, by whole arrays: a character is a byte, with a bit to spare."""
    parts, order = drawn.parts, pa.array(drawn.order)
    prompts = _joined([part.prompts for part in parts], sizes, order, pa.string())
    answers = _joined([part.answers for part in parts], sizes, order, pa.string())
    framed = _joined([_framed(part) for part in parts], sizes, order, pa.binary())
    codes, ends = framed.buffers()[2], _offsets(framed)
    ids = np.frombuffer(codes.to_pybytes().translate(_token_table(task)), dtype=np.uint8).astype(np.int16)
    learned = np.frombuffer(codes, dtype=np.uint8) > _FRAME
    ids[ends[1:] - 1], learned[ends[1:] - 1] = SPECIAL_TOKENS.index(EOS), True
    return {
        "prompt": prompts,
        "answer": answers,
        "text": _text(framed),
        "tokens": pa.ListArray.from_arrays(ends, ids),
        "answer_mask": pa.ListArray.from_arrays(ends, _bits(learned)),
    }


def _latin_columns(task: Task, drawn: Drawn) -> dict[str, list]:
    """The same columns row by row, for vocabularies beyond ASCII."""
    samples = drawn.samples()
    prompts, answers = samples.prompt_strings(), samples.answer_strings()
    special = (SPECIAL_TOKENS.index(token) for token in (BOS, EOS, PAD))
    rows = encode(samples, vocabulary_table(task.vocabulary), *special)
    present = rows["attention_mask"] == 1
    learned = rows["labels"] != IGNORED
    return {
        "prompt": prompts,
        "answer": answers,
        "text": [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)],
        "tokens": [ids[there] for ids, there in zip(rows["input_ids"], present, strict=True)],
        "answer_mask": [mask[there] for mask, there in zip(learned, present, strict=True)],
    }


def _framed(part: Samples) -> np.ndarray:
    """<bos> prompt answer <eos> as codes: uint8, (count, P + A + 2)."""
    count, width = part.prompts.shape
    codes = np.empty((count, width + part.answers.shape[1] + 2), dtype=np.uint8)
    codes[:, 0] = codes[:, -1] = _FRAME
    codes[:, 1 : width + 1] = part.prompts
    np.bitwise_or(part.answers, _ANSWER, out=codes[:, width + 1 : -1])
    if not part.answers.all():
        codes[:, width + 1 : -1][part.answers == 0] = 0
    return codes


def _text(framed: pa.Array) -> pa.Array:
    """The rows without their frames, as strings."""
    codes = np.frombuffer(framed.buffers()[2], dtype=np.uint8)
    plain = (codes & np.uint8(_ANSWER - 1)).tobytes().translate(None, b"\0")
    offsets = _offsets(framed) - 2 * np.arange(len(framed) + 1, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(framed), [None, pa.py_buffer(offsets), pa.py_buffer(plain)])


def _joined(matrices: list[np.ndarray], counts: np.ndarray, order: pa.Array, kind: pa.DataType) -> pa.Array:
    """The rows of codes, counts[k] in matrix k, in this order and without the padding 0.

    Arrow moves whole rows; nothing is done character by character, unless rows of one scale differ in length.
    """
    widths = [codes.shape[1] for codes in matrices]
    data = np.concatenate([codes.ravel() for codes in matrices])
    lengths = np.repeat(np.array(widths, dtype=np.int32), counts)
    if not data.all():
        lengths = np.concatenate([np.count_nonzero(codes, axis=1) for codes in matrices])
        data = data[data != 0]
    longest = max(widths)
    possible = max(len(order), len(lengths)) * longest
    if possible > _MAX_BYTES and max(len(data), lengths[order.to_numpy()].sum(dtype=np.int64)) > _MAX_BYTES:
        raise ValueError(f"{len(order)} rows of {longest} characters exceed an Arrow column of {_MAX_BYTES} bytes")
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, dtype=np.int32, out=offsets[1:])
    rows = pa.Array.from_buffers(kind, len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return rows.take(order)


def _offsets(rows: pa.Array) -> np.ndarray:
    return np.frombuffer(rows.buffers()[1], dtype=np.int32)[: len(rows) + 1]


def _bits(flags: np.ndarray) -> pa.Array:
    packed = np.packbits(flags, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, pa.py_buffer(packed)])


def _token_table(task: Task) -> bytes:
    """Code -> token id, <bos> for both frames: ids of characters and special tokens together are below 256."""
    table = vocabulary_table(task.vocabulary)
    table[_ANSWER:] = table[:_ANSWER]
    table[_FRAME] = SPECIAL_TOKENS.index(BOS)
    return table.astype(np.uint8).tobytes()


def source_digest(task: Task) -> str:
    """A digest of the code that makes rows, so that the cache notices when that code changes."""
    here = Path(__file__).parent
    own = [here / f"{name}.py" for name in ("builder", "encode", "lengths", "splits")]
    digest = hashlib.blake2b(digest_size=16)
    for file in [*sorted((here.parent / "tasks").glob("*.py")), *own]:
        digest.update(file.read_bytes())
    package = __name__.partition(".")[0]
    for kind in type(task).__mro__:  # a registered task lives elsewhere, with what it is built on
        if kind.__module__.partition(".")[0] in (package, *sys.stdlib_module_names):
            continue
        digest.update(_source(kind))
    return digest.hexdigest()


def _source(kind: type) -> bytes:
    """The file of a class, whose functions it may call; its own text where that is all there is, as in a notebook."""
    try:
        return Path(inspect.getsourcefile(kind)).read_bytes()
    except (OSError, TypeError):
        pass
    try:
        return inspect.getsource(kind).encode()
    except (OSError, TypeError):
        return repr(kind).encode()


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

    def check_curriculum(self) -> None:
        """ValueError for a stage of the curriculum that no block of rows begins in."""
        size = block_rows(self.lengths.largest)
        start, n_max = (self.lengths.curriculum or ((0, 0),))[-1]
        if start > self.blocks[-1] * size:
            raise ValueError(
                f"the curriculum's n_max = {n_max} from row {start} on is never reached: the last block of the "
                f"{self.config.rows} rows ({size} a block) begins with row {self.blocks[-1] * size}"
            )

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
