"""The result file: the one thing that evaluation, comparison and model cards exchange."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from .. import strict_json
from ..files import write_text
from .fields import build, check_types
from .length_result import LengthResult

SCHEMA = 1
SCALE_HINTS = ("none", "input", "prompt")
FAIRNESS = ("format", "metric", "seeds", "checkpoint", "extra_knowledge")


@dataclass(kw_only=True)
class Result:
    """One trained model and how it does at every tested length.

    Attributes:
        schema: version of this layout.
        name: of the run, such as "addition-lbpe-seed3".
        task, task_options: registry name, and the options it was built with.
        format: the task's format in words.
        position_embedding, position_options, scale_hint: as in the model's config; scale_hint is none, input
            or prompt.
        seed: of the training run.
        n_min, n_max: shortest and longest training length, priming included.
        steps, batch_size: training steps, as planned, and examples per step.
        parameters: number of trainable parameters.
        fairness: the five things in which results of this literature differ, in words: format, metric, seeds,
            checkpoint, extra_knowledge.
        lengths: the scores; at most one per (n, mode).
        relations: `model.relations()`, per layer and head a list of [text, weight]; None if the embedding has
            none.
        train_seconds, eval_seconds: wall time; None where not measured.
        peak_memory_mb: largest resident memory in MiB; None where not measured.
        final_loss: training loss at the last step; None where not known.
        versions: of python, torch, transformers and so on.
        command: the command line that made the result.
        hardware: cpu_count, device, threads.
        commit: of the source code, with "+changes" where the package's files differed from it; None where not known.
        wall_seconds: from the start of the run's process to its end, over all resumptions; None where not measured.
        settings, settings_digest: of the training configuration, those that decide the numbers; empty where not
            recorded.
        steps_done: after how many steps the weights were taken, which early stopping decides; None: not recorded.

    Raises:
        ValueError: on construction, if a value has the wrong type, is out of range, or contradicts another.
    """

    schema: int = SCHEMA
    name: str
    task: str
    task_options: dict
    format: str
    position_embedding: str
    position_options: dict
    scale_hint: str
    seed: int
    n_min: int
    n_max: int
    steps: int
    batch_size: int
    parameters: int
    fairness: dict
    lengths: list[LengthResult] = field(default_factory=list)
    relations: list[Any] | None = None
    train_seconds: float | None = None
    eval_seconds: float | None = None
    peak_memory_mb: float | None = None
    final_loss: float | None = None
    versions: dict = field(default_factory=dict)
    command: str = ""
    hardware: dict = field(default_factory=dict)
    commit: str | None = None
    wall_seconds: float | None = None
    settings: dict = field(default_factory=dict)
    settings_digest: str = ""
    steps_done: int | None = None

    def __post_init__(self) -> None:
        for key in ("task_options", "position_options", "fairness", "relations", "versions", "hardware", "settings"):
            setattr(self, key, _plain(getattr(self, key)))
        self._check()

    def at(self, n: int | Sequence[int], mode: str | None = None) -> LengthResult | None:
        """The score at scale `n` (an int stands for a single hint), in one mode or, by default, "generate"
        before "teacher".
        """
        scale = [n] if isinstance(n, int) else list(n)
        found = [result for result in self.lengths if result.n == scale and mode in (None, result.mode)]
        return min(found, key=lambda result: result.mode, default=None)

    def by_scale(self) -> list[LengthResult]:
        """One score per scale, `at` where there are two modes, in the order of `lengths`."""
        return [self.at(n) for n in dict.fromkeys(tuple(score.n) for score in self.lengths)]

    def to_dict(self) -> dict:
        """Plain lists, dicts and numbers, as they go into the file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Any, where: str = "the result") -> Self:
        """The inverse of `to_dict`. ValueError, beginning with `where`, if `data` is not a complete and
        consistent result.
        """
        if not isinstance(data, dict) or "schema" not in data:
            raise ValueError(f"{where} is not a result file of hf_lengthgen: it has no 'schema'.")
        if data["schema"] != SCHEMA:
            raise ValueError(f"{where} has the schema {data['schema']!r}; this version reads schema {SCHEMA}.")
        data = dict(data)
        if isinstance(data.get("lengths"), list):
            data["lengths"] = [
                build(LengthResult, item, f"{where}: lengths[{index}]") for index, item in enumerate(data["lengths"])
            ]
        return build(cls, data, where)

    def save(self, path: str | os.PathLike) -> None:
        """Write the file whole or not at all: see `files.write_text`. Folders are made as needed."""
        self._check()
        path = Path(path)
        # Written out before a file is opened: what JSON cannot hold must not leave a trace.
        try:
            text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        except (TypeError, ValueError) as error:
            raise ValueError(f"result {self.name!r} holds what JSON cannot write: {error}.") from None
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read and check a result file. ValueError, in one sentence with the path, if it is missing, broken
        or foreign.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ValueError(f"there is no result file {path}.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} cannot be read as a result file: {error}.") from None
        try:
            data = strict_json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from None
        except ValueError as error:
            raise ValueError(f"{path} is not a result file: {error}.") from None
        return cls.from_dict(data, str(path))

    def _check(self) -> None:
        check_types(type(self), vars(self), f"result {self.name!r}")
        if self.scale_hint not in SCALE_HINTS:
            raise ValueError(f"scale_hint is one of {', '.join(SCALE_HINTS)}, got {self.scale_hint!r}.")
        if not 1 <= self.n_min <= self.n_max:
            raise ValueError(f"1 <= n_min <= n_max must hold, got n_min={self.n_min}, n_max={self.n_max}.")
        for key in ("steps", "batch_size", "parameters"):
            if getattr(self, key) < 0:
                raise ValueError(f"{key} is not negative, got {getattr(self, key)}.")
        if set(self.fairness) != set(FAIRNESS):
            raise ValueError(f"fairness has the keys {', '.join(FAIRNESS)}, got {', '.join(map(str, self.fairness))}.")
        if self.relations is not None and not all(map(_is_layer, self.relations)):
            raise ValueError("relations holds, per layer and head, a list of [text, weight].")
        seen = set()
        for result in self.lengths:
            key = (*result.n, result.mode)
            if key in seen:
                raise ValueError(f"lengths holds n={result.n} in mode {result.mode!r} twice.")
            seen.add(key)
        if len({len(result.n) for result in self.lengths}) > 1:
            raise ValueError("all lengths of a result have equally many scale hints.")


def _is_layer(heads: Any) -> bool:
    return isinstance(heads, list) and all(isinstance(head, list) and all(map(_is_relation, head)) for head in heads)


def _is_relation(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], int | float)


def _plain(value: Any) -> Any:
    """Tuples to lists, NumPy and torch scalars to Python's: a file gives back exactly what was saved."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    return value
