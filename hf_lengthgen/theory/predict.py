"""Predictions before any training: up to which scale can an embedding carry the circuit that a task needs?

The statement [ours; the conjecture behind it is that of 2510.04130]. A relation r is *carried* by an embedding beyond
the training scales n <= N0 if some head's φ has it as a union of classes: each pair for which r holds at a larger
scale has a class that occurs in training for pairs where r holds, and only for those. Then:

* there is a set of carried relations through which the next token can be told at every scale (discovery says
  "constant" on the dictionary of all carried relations): no bound;
* there is none, but with other relations there is: the largest N, up to twice N0, at which every class that this
  circuit reads still means what it meant at n <= N0, which is N0 unless the embedding stretches further;
* even the widest dictionary is refuted ("growing"): N0, for the conjecture's own reason;
* the embedding's classes depend on the content, or discovery does not decide: no prediction.

`chained` is the same statement where reads may follow one another, one per layer: what two carried relations make
together counts as carried. It is a second prediction, weaker and made at the same time; results decide between them.

Not modelled: the dilution of a softmax over ever more keys, what optimisation finds, circuits that look for content,
and how far an embedding with few numbers can sharpen one class among its neighbours.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import strict_json
from ..evaluation.fields import check_types
from ..evaluation.result import SCALE_HINTS
from ..model.relation import LinearRelation
from ..tasks import Task, get_task
from ..tasks.task import check_integer, nearest
from .carriers import HEADS, Carrier, carrier, reach
from .discovery import CONSTANT, GROWING, LIMIT, Discovery, discover
from .relations import chain

UNBOUNDED = math.inf
FARTHEST = 2  # times n_max: as far as it is looked how long classes keep their meaning
_BOUNDS = ("largest", "chained")


@dataclass(frozen=True)
class Prediction:
    """One cell.

    Attributes:
        largest: the largest scale, math.inf for no bound, None for no prediction.
        reason: in one sentence.
        relations: through which the circuit reads, where there is one.
        verdict: of the SRC (constant, growing, undecided), or "" where it was not asked.
        chained: like `largest`, where reads may follow one another.
    """

    task: str
    task_options: dict
    position_embedding: str
    position_options: dict
    scale_hint: str
    n_max: int
    largest: float | None
    reason: str
    relations: tuple[str, ...] = ()
    verdict: str = ""
    chained: float | None = None

    def reaches(self, n: int, chained: bool = False) -> bool | None:
        """Whether the model is predicted to be right at scale n; None without a prediction."""
        largest = self.chained if chained else self.largest
        return None if largest is None else largest >= n

    def headline(self) -> str:
        """ "no bound", "right up to n = 12" or "no prediction"."""
        if self.largest is None:
            return "no prediction"
        return "no bound" if self.largest == UNBOUNDED else f"right up to n = {self.largest}"

    def to_dict(self) -> dict:
        """JSON-ready: an unbounded reach is "unbounded"."""
        bounds = {key: "unbounded" if getattr(self, key) == UNBOUNDED else getattr(self, key) for key in _BOUNDS}
        return asdict(self) | bounds | {"relations": list(self.relations)}

    @classmethod
    def from_dict(cls, data: Any, where: str = "the prediction") -> Prediction:
        """The inverse of `to_dict`.

        Raises:
            ValueError: beginning with `where`, if `data` is not the whole of a prediction.
        """
        if not isinstance(data, dict):
            raise ValueError(f"{where} is no object: it is {data!r:.60}.")
        names = [field.name for field in fields(cls)]
        for key in data:
            if key not in names:
                raise ValueError(f"{where} has the unknown key {key!r}; {nearest(key, names)}")
        missing = [name for name in names if name not in data]
        if missing:
            raise ValueError(f"{where} lacks {', '.join(map(repr, missing))}.")
        relations = data["relations"]
        if not isinstance(relations, list) or not all(isinstance(text, str) for text in relations):
            raise ValueError(f"{where}: relations must be a list of texts, got {relations!r}.")
        special = {key: _bound(data[key], f"{where}: {key}") for key in _BOUNDS} | {"relations": tuple(relations)}
        check_types(cls, {key: value for key, value in data.items() if key not in special}, where)
        if data["scale_hint"] not in SCALE_HINTS:
            raise ValueError(f"{where}: scale_hint is one of {', '.join(SCALE_HINTS)}, got {data['scale_hint']!r}.")
        return cls(**(data | special))


def _bound(value: Any, where: str) -> float | None:
    """A bound as JSON has it."""
    if value == "unbounded":
        return UNBOUNDED
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ValueError(f"{where} must be a whole number, null or 'unbounded', got {value!r}.")
    return value


def load_predictions(path: str | os.PathLike) -> list[Prediction]:
    """The predictions in a file that `lengthgen src --grid … --output` has written.

    Raises:
        ValueError: in one sentence with the path, if it cannot be read or is no such file.
    """
    no_such = f"{path} is no file of predictions (lengthgen src --grid)"
    try:
        data = strict_json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{no_such}: not a text file.") from None
    except ValueError as error:
        raise ValueError(f"{no_such}: {error}.") from None
    if not isinstance(data, dict) or "predictions" not in data:
        raise ValueError(f"{no_such}: it has no 'predictions'.")
    if not isinstance(data["predictions"], list):
        raise ValueError(f"{no_such}: 'predictions' is no list.")
    return [
        Prediction.from_dict(entry, f"{path}: predictions[{number}]")
        for number, entry in enumerate(data["predictions"])
    ]


def predict(
    task: Task | str,
    position_embedding: str,
    scale_hint: str = "none",
    n_max: int = 12,
    *,
    position_options: dict[str, Any] | None = None,
    task_options: dict[str, Any] | None = None,
    heads: int = HEADS,
    held_out: Sequence[int] | None = None,
    limit: int = LIMIT,
    seed: int = 0,
) -> Prediction:
    """The largest scale that a model trained on n <= n_max can be right at, before it is trained.

    Args:
        task: a task, or its name with `task_options`.
        position_options: of the embedding; IPE without `relations` is given the task's ideal ones.
        held_out, limit, seed: of the search (see `discover`).

    Raises:
        ValueError: an unknown name or option, n_max below 2, or what `discover` refuses.
    """
    check_integer("n_max", n_max, 2)
    if isinstance(task, str):
        options = dict(task_options or {})
        task = get_task(task, **options)
    else:
        defaults = type(task)().options
        options = {key: value for key, value in task.options.items() if value != defaults[key]}
    given = dict(position_options or {})
    can = carrier_for(task, position_embedding, given, scale_hint, heads)

    def discovered(relations: Iterable[LinearRelation] | None) -> Discovery:
        longer = None if held_out is None else tuple(held_out)
        dictionary = None if relations is None else tuple(relations)
        return _discovered(type(task), _key(task.options), dictionary, n_max, longer, limit, seed)

    def answer(largest: float | None, reason: str, found: Discovery | None = None, chained=None) -> Prediction:
        relations = tuple(found.texts()) if found is not None else ()
        verdict = found.verdict if found is not None else ""
        chained = largest if chained is None else chained
        cell = (task.name, options, position_embedding, given, scale_hint, n_max)
        return Prediction(*cell, largest, reason, relations, verdict, chained)

    if can.relations is None:
        return answer(None, f"no prediction: {can.why}")
    if can.relations:
        own = discovered(can.relations)
        if own.verdict == CONSTANT:
            return answer(UNBOUNDED, f"{can.why}; among them are all that is read: {', '.join(own.texts())}", own)
    widest = discovered(None)
    if widest.verdict == GROWING:
        return answer(n_max, f"SRC grows: {widest.reason}", widest)
    if widest.verdict != CONSTANT:
        return answer(None, f"no prediction: no circuit was found ({widest.reason})", widest)
    largest = _finite_reach(task, widest, can, n_max)
    needed = ", ".join(widest.texts())
    chained = None
    if can.relations:
        both = discovered(chain(can.relations))
        chained = UNBOUNDED if both.verdict == CONSTANT else None
    ends = "is new beyond" if largest < FARTHEST * n_max else "keeps its classes as far as was looked,"
    return answer(largest, f"{can.why}; what a circuit reads ({needed}) {ends} n = {largest}", widest, chained)


def carrier_for(
    task: Task, position_embedding: str, position_options: dict[str, Any], scale_hint: str, heads: int = HEADS
) -> Carrier:
    """What an embedding carries on a task; IPE without `relations` is given the task's ideal ones.

    Raises:
        ValueError: what `carrier` refuses.
    """
    used = position_options
    if position_embedding == "ipe" and "relations" not in used:
        texts = [
            text
            for text in task.ideal_relations
            if scale_hint != "none" or not LinearRelation.parse(text, task.hints).uses_scale
        ]
        used = used | ({"relations": texts} if texts else {})
    return carrier(position_embedding, used, scale_hint, task.hints, heads)


def _finite_reach(task: Task, found: Discovery, can: Carrier, n_max: int) -> int:
    if not can.prfs or task.hints != 1 or any(r.segment is not None for r in found.relations):
        return n_max
    from .lrc import task_levels

    levels = task_levels(task, FARTHEST * n_max)
    return max(reach(chosen, can.prfs, levels, n_max) for chosen in found.sets[:4])


def _key(options: dict) -> str:
    return json.dumps(options, sort_keys=True)


@lru_cache(maxsize=512)
def _discovered(
    cls: type[Task], options: str, relations: tuple | None, n_max: int, held_out: tuple | None, limit: int, seed: int
) -> Discovery:
    """Discovery, done once per task, dictionary and settings. The class, not the name: that may be another's."""
    task = cls(**json.loads(options))
    return discover(task, n_max=n_max, dictionary=relations, held_out=held_out, limit=limit, seed=seed)


def predict_cells(configs: Iterable[Any], seed: int = 0) -> list[Prediction]:
    """A prediction for every cell of a comparison, one for all its seeds.

    Args:
        configs: `TrainingConfig`s, such as those of `load_grid(...).cells`.

    Raises:
        ValueError: what `predict` refuses.
    """
    cells: dict[str, Prediction] = {}
    for config in configs:
        made = {
            "position_embedding": config.position_embedding,
            "scale_hint": config.scale_hint,
            "n_max": config.n_max,
            "position_options": config.position_options,
            "task_options": config.task_options,
            "heads": config.num_attention_heads,
        }
        key = json.dumps([config.task, made], sort_keys=True)
        if key not in cells:
            cells[key] = predict(config.task, seed=seed, **made)
    return list(cells.values())
