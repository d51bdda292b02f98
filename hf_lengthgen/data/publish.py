"""Sharing a data set: a folder of Parquet files with a card that says what they are; `hub.push_dataset` sends it."""

import dataclasses
import hashlib
import inspect
import json
import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ..files import new_folder
from ..tasks import Task
from ..tasks.task import check_integer, nearest
from .builder import BLOCK, FEATURES, TaskBuilder, drawn_table, source_digest
from .lengths import Lengths
from .load_dataset import build
from .splits import SHARES, SPLITS, Drawn, prompt_hash

_GROUP_CELLS = 1 << 20  # rows times n of a Parquet row group
_BINS = 24  # lines of the length histogram
_SIZES = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8)
_SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")


def export(
    folder: str | os.PathLike,
    task: str | Task,
    *,
    rows: int | Mapping[str, int] = 10_000,
    seed: int = 0,
    shard_rows: int = 1_000_000,
    license: str = "apache-2.0",
    **settings: Any,
) -> Path:
    """Write a data set that anybody loads with `datasets.load_dataset(folder)`, without this package.

    The folder gets `data/SPLIT-00000-of-00001.parquet` and so on, and a README.md: the card. It appears whole or not
    at all. Rows are made block by block; memory does not grow with them, but for 8 bytes a row that the check for
    overlap needs.

    Args:
        folder: where to; it must not exist, or be empty.
        task: name of a task, or a task.
        rows: of every split; a single number is divided into 80, 10 and 10%.
        seed: integer >= 0.
        shard_rows: rows of a file.
        license: identifier of the licence, as the Hub spells it.
        **settings: what `load_dataset` takes about lengths, and options of the task, if `task` is a name.

    Raises:
        ValueError: a forbidden value, or a split without prompts of these lengths.
        FileExistsError: there is something in the folder, or it is the current one.
    """
    check_integer("shard_rows", shard_rows, 1)
    target = Path(folder)
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise FileExistsError(f"{target} is not empty; choose another folder")
    if target.resolve() == Path.cwd():
        raise FileExistsError(f"{target} is the current folder, and the folder is made anew; choose another one")
    builders = _builders(task, rows, seed, settings)
    with new_folder(target) as temporary:
        (temporary / "data").mkdir()
        summaries = {split: _write(builder, temporary / "data", shard_rows) for split, builder in builders.items()}
        (temporary / "README.md").write_text(render_card(builders, summaries, license), encoding="utf-8")
    return target


def _builders(task: str | Task, rows: Any, seed: int, settings: dict[str, Any]) -> dict[str, TaskBuilder]:
    about_lengths = {own.name for own in dataclasses.fields(Lengths)}
    lengths = Lengths(**{key: value for key, value in settings.items() if key in about_lengths})
    options = {key: value for key, value in settings.items() if key not in about_lengths}
    whole = dataclasses.replace(lengths, curriculum=None)  # what is not trained on has no order
    return {
        split: build(task, split, count, seed, lengths if split == "train" else whole, **options)
        for split, count in _rows(rows).items()
    }


def _rows(rows: Any) -> dict[str, int]:
    """Rows of every split, splits without any left out."""
    if isinstance(rows, Mapping):
        for split, count in rows.items():
            if split not in SPLITS:
                raise ValueError(f"unknown split {split!r}; {nearest(split, SPLITS)}")
            check_integer(f"rows of {split}", count, 0)
        counts = {split: int(rows.get(split, 0)) for split in SPLITS}
    else:
        check_integer("rows", rows, 1)
        counts = {split: int(rows * share + 1e-6) for split, share in SHARES.items()}
        counts["train"] += rows - sum(counts.values())
    counts = {split: count for split, count in counts.items() if count}
    if not counts:
        raise ValueError("rows must be at least 1 in some split")
    return counts


# ---- Parquet


@dataclass
class Summary:
    """What a card tells about the rows of a split.

    Attributes:
        rows: how many.
        lengths: n -> rows.
        prompts: hashes of the prompts, block by block; `distinct` sorts them out.
        difficulty: the sum of the rows' difficulties, and the largest.
        examples: prompt and answer of the first rows.
    """

    rows: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    prompts: list[np.ndarray] = field(default_factory=list)
    difficulty: tuple[int, int] = (0, 0)
    examples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, drawn: Drawn, table: pa.Table) -> None:
        if not self.rows:
            first = table.slice(0, 3).to_pydict()
            self.examples = list(zip(first["prompt"], first["answer"], strict=True))
        self.rows += len(table)
        values, counts = np.unique(table["n"].to_numpy(), return_counts=True)
        self.lengths.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        self.prompts.append(np.concatenate([prompt_hash(part.prompts) for part in drawn.parts])[drawn.order])
        difficulty = table["difficulty"].to_numpy()
        total, largest = self.difficulty
        self.difficulty = total + int(difficulty.sum(dtype=np.int64)), max(largest, int(difficulty.max()))

    def distinct(self) -> np.ndarray:
        """The different prompts, as hashes, sorted."""
        return np.unique(np.concatenate(self.prompts))


def _write(builder: TaskBuilder, folder: Path, shard_rows: int) -> Summary:
    """One split as Parquet files."""
    summary, rows, split = Summary(), builder.config.rows, builder.config.split
    group = max(1, min(24 * BLOCK, _GROUP_CELLS // builder.lengths.largest))
    shards = [min(shard_rows, rows - start) for start in range(0, rows, shard_rows)]
    groups = [[min(group, shard - start) for start in range(0, shard, group)] for shard in shards]
    pieces = _cut(_tables(builder, summary), (size for sizes in groups for size in sizes))
    for number, sizes in enumerate(groups):
        path = folder / f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
        with pq.ParquetWriter(path, FEATURES.arrow_schema, compression="zstd") as writer:
            for _ in sizes:
                writer.write_table(next(pieces))
    return summary


def _tables(builder: TaskBuilder, summary: Summary) -> Iterator[pa.Table]:
    for drawn in builder.drawn(builder.blocks):
        table = drawn_table(builder.task, drawn)
        summary.add(drawn, table)
        yield table


def _cut(tables: Iterator[pa.Table], sizes: Iterable[int]) -> Iterator[pa.Table]:
    """The same rows in tables of these sizes."""
    rest = next(tables)
    for size in sizes:
        kept, have = [rest], len(rest)
        while have < size:
            kept.append(next(tables))
            have += len(kept[-1])
        whole = pa.concat_tables(kept)
        yield whole.slice(0, size)
        rest = whole.slice(size)


# ---- the card


def _digest(builders: Mapping[str, TaskBuilder]) -> str:
    """A number that two data sets share only if their rows are the same."""
    made_of = [(builder.config, builder.hash) for builder in builders.values()]
    return f"rows {hashlib.blake2b(repr(made_of).encode(), digest_size=8).hexdigest()}"


def render_card(builders: Mapping[str, TaskBuilder], summaries: Mapping[str, Summary], license: str) -> str:
    """The card of a data set: Markdown with YAML front matter. Its numbers are those of the rows written."""
    import jinja2
    from huggingface_hub import DatasetCardData

    from .. import __version__

    builder = next(iter(builders.values()))
    task, rows = builder.task, {split: summary.rows for split, summary in summaries.items()}
    total = sum(rows.values())
    data = DatasetCardData(
        license=license,
        pretty_name=f"{task.name}, n = {builder.config.n_min} to {builder.config.n_max}",
        task_categories=["text-generation"],
        size_categories=[_SIZE_NAMES[sum(total >= size for size in _SIZES)]],
        tags=["length-generalization", "lengthgen", "synthetic", task.name],
        configs=[
            {
                "config_name": "default",
                # `datasets` caches a local folder by its name and these lines alone: another data set in a folder of
                # the same name would be taken for this one.
                "description": _digest(builders),
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in rows],
            }
        ],
    )
    prompts = {split: summary.distinct() for split, summary in summaries.items()}
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    template = files(__package__).joinpath("templates", "dataset_card.md").read_text(encoding="utf-8")
    kind = type(task)
    return environment.from_string(template).render(
        front_matter=data.to_yaml(),
        task=task.name,
        about=task.describe(),
        examples=next(iter(summaries.values())).examples,
        difficulty=_first_paragraph(kind.difficulty),
        splits=[
            {
                "name": split,
                "rows": summary.rows,
                "prompts": len(prompts[split]),
                "mean": f"{summary.difficulty[0] / summary.rows:.2f}",
                "largest": summary.difficulty[1],
            }
            for split, summary in summaries.items()
        ],
        histogram=_histogram(summaries),
        shared=[
            (one, two, len(np.intersect1d(prompts[one], prompts[two], assume_unique=True)))
            for one, two in combinations(rows, 2)
        ],
        seed=builder.config.seed,
        arguments={split: _arguments(builder) for split, builder in builders.items()},
        command=shlex.join(_command(builder, rows)),
        rows=rows,
        defined="" if kind.__module__.startswith("hf_lengthgen.") else f"{kind.__module__}.{kind.__qualname__}",
        version=__version__,
        numpy=np.__version__,
        source=source_digest(task),
        license=license,
    )


def _first_paragraph(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def _histogram(summaries: Mapping[str, Summary]) -> list[dict[str, Any]]:
    """Rows of every split by n; neighbouring n together where there are many."""
    present = sorted({n for summary in summaries.values() for n in summary.lengths})
    least, most = present[0], present[-1]
    width = -(-(most - least + 1) // _BINS)
    lines = []
    for start in range(least, most + 1, width):
        inside = range(start, min(start + width, most + 1))
        counts = [sum(count for n, count in s.lengths.items() if n in inside) for s in summaries.values()]
        if any(counts) or width == 1:
            lines.append({"n": str(start) if len(inside) == 1 else f"{start}–{inside[-1]}", "counts": counts})
    return lines


def _arguments(builder: TaskBuilder) -> str:
    """Keyword arguments of `load_dataset` that give the rows again, as code."""
    settings = builder.lengths.settings()
    if "length_weights" in settings:
        settings["length_weights"] = list(settings["length_weights"])
    if "curriculum" in settings:
        settings["curriculum"] = dict(settings["curriculum"])
    if "priming_n" in settings and len(set(settings["priming_n"])) == 1:
        settings["priming_n"] = settings["priming_n"][0]
    chosen = {"seed": builder.config.seed, **settings, **_changed(builder.task)}
    return ", ".join(f"{key}={value!r}" for key, value in chosen.items())


def _command(builder: TaskBuilder, rows: Mapping[str, int]) -> list[str]:
    """The command line that makes the folder again."""
    lengths, task = builder.lengths, builder.task
    words = ["lengthgen", "data", "export", task.name, "--output_dir", "FOLDER", "--rows"]
    words += [f"{split}={count}" for split, count in rows.items()]
    words += ["--seed", str(builder.config.seed)]
    for name in ("n_min", "n_max"):
        value = getattr(lengths, name)
        words += [f"--{name}", "x".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    if lengths.length_weights is not None:
        first = lengths.n_min
        words += ["--length_weights", *(f"{first + k}={w!r}" for k, w in enumerate(lengths.length_weights) if w)]
    if lengths.curriculum is not None:
        words += ["--curriculum", *(f"{start}={n_max}" for start, n_max in lengths.curriculum)]
    if lengths.priming_n is not None:
        words += ["--priming_share", repr(lengths.priming_share)]
        words += ["--priming_n", *(str(n) for n in sorted({*lengths.priming_n}))]
    for key, value in _changed(task).items():  # read as YAML
        plain = isinstance(value, str) and value.isalpha() and yaml.safe_load(value) == value
        words += [f"--task_options.{key}", value if plain else json.dumps(value)]
    return words


def _changed(task: Task) -> dict[str, Any]:
    """The options that differ from their defaults."""
    defaults = dataclasses.asdict(task.Config())
    return {key: value for key, value in task.options.items() if value != defaults[key]}
