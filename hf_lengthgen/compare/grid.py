"""A comparison as a YAML file: tasks, variants and seeds, and the cells they make.

    name: main
    base: {n_max: 12, eval_lengths: [12, 24, 50]}         settings of every cell
    tasks:
      - {name: copy, steps: 1000}                         name, task (default: the name), settings
      - name: parity_no_cot
        task: parity
        task_options: {cot: false}
        variants: {lbpe_hint: {penalty: 0.001}}           settings of one variant on this task only
    variants:
      - {name: rope, scale_hint: none}                    name, position_embedding (default: the name), settings
      - name: lbpe_hint
        position_embedding: lbpe
        scale_hint: prompt
        label: LBPE + hint                                what the report calls it (default: see labels.py)
        except: [parity_no_cot]                           or only: [...]
    seeds: [0, 1, 2]
    extra_seeds: {lbpe_hint: [3, 4]}

Settings are those of TrainingConfig. Where they meet, the later wins: base, task, variant, variant on this task. A
mapping such as position_options is replaced as a whole. An option of an embedding may have the value `from_task`:
`relations` (the task's ideal relations), `delimiters` and `digit_tokens` (the token ids of its delimiters, its digits).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.encode import SPECIAL_TOKENS
from ..nearest import did_you_mean
from ..tasks import Task, get_task
from ..tasks.task import nearest
from ..training.arguments import TrainingConfig, apply_overrides, check_key, parse_overrides
from ..training.values import convert, parse_yaml
from .labels import check_labels, variant_labels

FROM_TASK = "from_task"
_TOP = ("name", "base", "tasks", "variants", "seeds", "extra_seeds")
_TASK = ("name", "variants")
_VARIANT = ("name", "label", "only", "except")
# Settings that the comparison itself decides.
_OWN = ("name", "seed", "output_dir", "resume", "threads", "num_processes", "tasks")


@dataclass(frozen=True)
class Cell:
    """One run of a comparison: a task and a variant by their names in the grid, and a seed."""

    task: str
    variant: str
    seed: int
    config: TrainingConfig = field(compare=False, repr=False)

    @property
    def pair(self) -> str:
        """ "copy/rope"."""
        return f"{self.task}/{self.variant}"

    def __str__(self) -> str:
        return f"{self.pair} seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """A comparison.

    Attributes:
        name: of the comparison.
        cells: in the order in which they are run: all of the first seed, then the next, so that an interrupted
            comparison has breadth.
        labels: variant -> what tables and figures call it, for all variants of the file.
        special: pair -> the settings that its variant has on its task alone, where they are not those it has elsewhere.
    """

    name: str
    cells: tuple[Cell, ...]
    labels: Mapping[str, str]
    special: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(cell.task for cell in self.cells))

    @property
    def variants(self) -> list[str]:
        """In the order of the file."""
        present = {cell.variant for cell in self.cells}
        return [name for name in self.labels if name in present]

    def choose(self, only: Sequence[str] = (), seeds: Sequence[int] = ()) -> Grid:
        """The cells with one of these seeds and one of these places: task/variant, task or variant; none: all.

        Raises:
            ValueError: a place or a seed that the comparison does not have.
        """
        pairs = list(dict.fromkeys(cell.pair for cell in self.cells))
        places = [*pairs, *self.tasks, *self.variants]
        for place in only:
            if place not in places:
                raise ValueError(
                    f"comparison {self.name!r} has no {place!r}; its tasks are {', '.join(self.tasks)}, its variants "
                    f"{', '.join(self.variants)}{did_you_mean(place, places)}"
                )
        known = sorted({cell.seed for cell in self.cells})
        for seed in seeds:
            if seed not in known:
                raise ValueError(f"comparison {self.name!r} has no seed {seed}; its seeds are {known}.")
        chosen = tuple(
            cell
            for cell in self.cells
            if (not only or {cell.pair, cell.task, cell.variant} & set(only)) and (not seeds or cell.seed in seeds)
        )
        if not chosen:
            raise ValueError(f"comparison {self.name!r} has no cell that is both in {list(only)} and of {list(seeds)}.")
        return dataclasses.replace(self, cells=chosen)


def packaged_grids() -> dict[str, Path]:
    """The packaged comparisons by name: inside an installed wheel, or beside the package in a source checkout."""
    package = Path(__file__).resolve().parent.parent
    folders = [package.parent / "recipes" / "comparisons", package / "recipes" / "comparisons"]
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def find_grid(path_or_name: str) -> Path:
    """A YAML file by path, or by packaged name such as `main`. FileNotFoundError names the nearest one."""
    path = Path(path_or_name)
    if path.is_file():
        return path
    name = path.name.removesuffix(".yaml")
    files = packaged_grids()
    if path_or_name in (name, f"{name}.yaml") and name in files:
        return files[name]
    raise FileNotFoundError(
        f"There is no file {path_or_name!r}, and no packaged comparison of that name; {nearest(name, sorted(files))}."
    )


def load_grid(path_or_name: str, overrides: Iterable[str] = ()) -> Grid:
    """Read a comparison; `overrides` are words such as `--steps 20`, settings of every cell that win over the file.

    Raises:
        ValueError: in one sentence naming file, place and key, for anything that is not a comparison of valid cells.
        FileNotFoundError: no such file or packaged comparison.
    """
    path = find_grid(path_or_name)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file.") from None
    return make_grid(parse_yaml(text, str(path)), str(path), overrides)


def make_grid(data: Any, source: str, overrides: Iterable[str] = ()) -> Grid:
    """The same from what such a file holds; `source` begins the messages."""
    data = _mapping(data, source)
    _check_keys(data, _TOP, source)
    for key in ("name", "tasks", "variants", "seeds"):
        if key not in data:
            raise ValueError(f"{source}: the key {key!r} is missing.")
    name = _name(data["name"], source)
    given = parse_overrides(overrides)
    for key in given:
        _check_setting(key.split(".")[0], "the command line")
    base = _mapping(data.get("base"), f"{source}: base")
    _check_settings(base, f"{source}: base")
    tasks = _entries(data["tasks"], "tasks", _TASK, source)
    variants = _entries(data["variants"], "variants", _VARIANT, source)
    given_labels = {variant: entry.get("label") for variant, entry in variants.items()}
    check_labels(given_labels, f"{source}: variants")
    seeds = _seeds(data["seeds"], f"{source}: seeds")
    extra = _mapping(data.get("extra_seeds"), f"{source}: extra_seeds")
    for variant in extra:
        _check_known(variant, variants, f"{source}: extra_seeds", "variant")
    runs = {
        variant: seeds + [s for s in _seeds(extra.get(variant, []), f"{source}: extra_seeds") if s not in seeds]
        for variant in variants
    }
    cells: list[Cell] = []
    changed: dict[str, list[str]] = {}
    for task, task_entry in tasks.items():
        special = _mapping(task_entry.get("variants"), f"{source}: tasks: {task}: variants")
        for variant, settings in special.items():
            where = f"{source}: tasks: {task}: variants"
            _check_known(variant, variants, where, "variant")
            _check_settings(_mapping(settings, f"{where}: {variant}"), f"{where}: {variant}")
        for variant, entry in variants.items():
            if not _meets(entry, task, tasks, f"{source}: variants: {variant}"):
                continue
            values = {"task": task, "position_embedding": variant} | base
            for part, own in ((task_entry, _TASK), (entry, _VARIANT)):
                values |= {key: value for key, value in part.items() if key not in own}
            only_here = special.get(variant) or {}
            changed[f"{task}/{variant}"] = [key for key, value in only_here.items() if values.get(key) != value]
            values |= only_here
            apply_overrides(values, given)
            where = f"{source}: {task}/{variant}"
            values |= {"name": f"{name}/{task}/{variant}", "threads": 1}
            values["position_options"] = _filled(values, where)
            for seed in runs[variant]:
                cells.append(Cell(task, variant, seed, TrainingConfig.from_dict(values | {"seed": seed}, where)))
    if not cells:
        raise ValueError(f"{source}: no variant meets a task: there is nothing to run.")
    _check_scales(cells, source)
    order = {seed: place for place, seed in enumerate(dict.fromkeys(seed for own in runs.values() for seed in own))}
    cells.sort(key=lambda cell: order[cell.seed])  # stable: tasks and variants stay as they are
    return Grid(name, tuple(cells), variant_labels(cells, given_labels), changed)


def check_cells(grid: Grid) -> None:
    """Build the task and the model of every pair, which alone know their options, and see that it is tested at all.

    Raises:
        ValueError: naming the pair.
    """
    import torch

    from ..training.build import assemble_model
    from ..training.mixture import build_parts
    from ..training.scores import check_scales

    for cell in {cell.pair: cell for cell in grid.cells}.values():
        try:
            if not cell.config.eval_lengths and not cell.config.long_lengths:
                raise ValueError("eval_lengths and long_lengths are both empty: there is no length to test.")
            parts, tokenizer = build_parts(cell.config)
            check_scales(cell.config, parts, tokenizer)
            with torch.device("meta"):  # shapes only
                assemble_model(cell.config, parts, tokenizer)
        except ValueError as error:
            raise ValueError(f"comparison {grid.name!r}: {cell.pair}: {error}") from None


# ---- pieces of the file


def _mapping(value: Any, where: str) -> dict:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a mapping, got {type(value).__name__}.")
    return value


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", value):
        raise ValueError(f"{where}: a name consists of letters, digits and _ . -, got {value!r}.")
    return value


def _check_keys(entry: dict, allowed: Sequence[str], where: str) -> None:
    for key in entry:
        if key not in allowed:
            raise ValueError(f"{where}: unknown key {str(key)!r}; {nearest(str(key), allowed)}.")


def _check_setting(key: Any, where: str) -> None:
    check_key(key, f"{where}: ")
    if key in _OWN:
        raise ValueError(f"{where}: {key} is set by the comparison itself.")


def _check_settings(settings: dict, where: str) -> None:
    for key in settings:
        _check_setting(key, where)


def _entries(value: Any, what: str, own: Sequence[str], source: str) -> dict[str, dict]:
    """The tasks or variants by name, in order."""
    if not isinstance(value, list) or not value:
        raise ValueError(f"{source}: {what} must be a list of at least one mapping with a name.")
    entries: dict[str, dict] = {}
    for index, item in enumerate(value):
        where = f"{source}: {what}[{index}]"
        item = _mapping(item, where)
        name = _name(item.get("name"), where)
        if name in entries:
            raise ValueError(f"{source}: {what}: the name {name!r} is given twice.")
        where = f"{source}: {what}: {name}"
        for key in item:
            if key not in own:
                # Its own keys count among the near matches: `excepts` is no setting.
                try:
                    _check_setting(key, where)
                except ValueError as error:
                    match = nearest(str(key), own).partition("; ")[2]
                    raise ValueError(f"{where}: unknown key {str(key)!r}; {match}" if match else str(error)) from None
        if not isinstance(item.get("label", ""), str):
            raise ValueError(f"{where}: label must be a text, got {item['label']!r}.")
        entries[name] = item
    return entries


def _seeds(value: Any, where: str) -> list[int]:
    good = isinstance(value, list) and all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in value)
    if not good or len(set(value)) < len(value):
        raise ValueError(f"{where} must be a list of different whole numbers >= 0, got {value!r}.")
    return value


def _check_known(name: Any, known: Iterable[str], where: str, what: str) -> None:
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"{where}: there is no {what} {str(name)!r}; {nearest(str(name), list(known))}.")


def _meets(entry: dict, task: str, tasks: Iterable[str], where: str) -> bool:
    for key in ("only", "except"):
        listed = entry.get(key, [])
        if not isinstance(listed, list):
            raise ValueError(f"{where}: {key} must be a list of tasks, got {listed!r}.")
        for name in listed:
            _check_known(name, tasks, f"{where}: {key}", "task")
    return task in entry.get("only", [task]) and task not in entry.get("except", [])


def _check_scales(cells: Iterable[Cell], source: str) -> None:
    """ValueError where a task cannot be built, or a length is none of it: the report asks for both, of every pair."""
    for cell in {cell.pair: cell for cell in cells}.values():
        try:
            task = get_task(cell.config.task, **cell.config.task_options)
            for n in [*cell.config.eval_lengths, *cell.config.long_lengths]:
                task.expand(n)
        except ValueError as error:
            raise ValueError(f"{source}: {cell.pair}: {error}") from None


def _filled(values: dict[str, Any], where: str) -> Any:
    """The position options with every `from_task` replaced by what the task says."""
    options = values.get("position_options")
    if not isinstance(options, dict) or FROM_TASK not in [v for v in options.values() if isinstance(v, str)]:
        return options
    try:
        name = convert(values["task"], str, "task")
        task = get_task(name, **convert(values.get("task_options"), dict, "task_options"))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    filled = {}
    for key, value in options.items():
        if value == FROM_TASK:
            readers = {"relations": _relations, "delimiters": _delimiters, "digit_tokens": _digits}
            if key not in readers:
                raise ValueError(f"{where}: position option {key!r} cannot be {FROM_TASK}; {nearest(key, [*readers])}.")
            value = readers[key](task)
            if not value:
                raise ValueError(f"{where}: task {task.name!r} has no {key.replace('_', ' ')} to take {key!r} from.")
        filled[key] = value
    return filled


def _relations(task: Task) -> list[str]:
    return list(task.ideal_relations)


def _delimiters(task: Task) -> list[int]:
    return [len(SPECIAL_TOKENS) + task.vocabulary.index(character) for character in task.delimiters]


def _digits(task: Task) -> list[int]:
    return [len(SPECIAL_TOKENS) + place for place, character in enumerate(task.vocabulary) if character.isdigit()]
