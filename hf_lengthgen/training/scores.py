"""Evaluation of a finished model, length by length, each kept on disk as soon as it is known."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from .. import files
from ..evaluation.hard import HARD
from ..evaluation.scale import beyond_a_zero, scale_text
from .arguments import TrainingConfig
from .build import assemble_model, keyed_seed, own_generator
from .mixture import Part

Scale = tuple[int, ...]
DENSE_BYTES = 2**30  # float32 scores of one example in one layer; several such tables live at once


def planned(config: TrainingConfig, task: Any) -> list[tuple[str, Scale, int]]:
    """What is to be evaluated: (mode, scale, examples). Generation comes first, and shorter scales.

    ValueError where a scale does not fit the task.
    """
    plan = []
    for mode, lengths, examples in (
        ("generate", config.eval_lengths, config.eval_examples),
        ("teacher", config.long_lengths, config.long_examples),
    ):
        scales = {task.expand(n) for n in lengths}
        plan += [(mode, scale, examples) for scale in sorted(scales, key=lambda s: (sum(s), s))]
    return plan


def check_scales(config: TrainingConfig, parts: list[Part], tokenizer: Any) -> None:
    """Draw one row at every scale that is to be evaluated, and at the ends of the training lengths, and number its
    tokens as the model will. `check_rows` looks at the rows of a data set.

    ValueError, naming the setting, where a scale does not fit a task, a task has no row of it, or a table of positions
    is too short for it.
    """
    from ..evaluation.lengths import check_scale

    asked = {key: getattr(config, key) for key in ("eval_lengths", "long_lengths")}
    if config.validate_every:
        asked["validate_lengths"] = config.validate_lengths
    if config.dataset is None:
        asked |= {"n_min": [config.n_min], "n_max": [config.n_max], "priming_n": config.priming_n}
    # Layers have no part in it, nor have the relations that discovery would find.
    small = dataclasses.replace(config, num_hidden_layers=1, intermediate_size=1, relations="dictionary")
    model = assemble_model(small, parts, tokenizer).eval()
    for part in parts:
        for key, lengths in asked.items():
            for n in lengths:
                try:
                    check_scale(model, part.tokenizer, part.task, part.task.expand(n))
                except ValueError as error:
                    raise ValueError(f"{key}: {error}") from None


def check_rows(config: TrainingConfig, batches: Any, model: Any) -> None:
    """Number the tokens of a data set's longest row as the model will.

    ValueError, naming the setting, where a table of positions is too short for it.
    """
    batch = batches.longest()
    given = {"scale_hint": batch["scale_hint"]} if config.scale_hint != "none" else {}
    try:
        with own_generator():
            model.model.check_positions(batch["input_ids"], **given)
    except ValueError as error:
        raise ValueError(f"dataset: {config.dataset!r}: {error}") from None


def too_long_for_dense(model: Any, task: Any, scale: Scale) -> bool:
    """Whether one example of this scale needs a table of attention scores beyond DENSE_BYTES."""
    length = sum(task.lengths(scale)) + 2  # <bos>, <eos>
    return not model.sparse and 4 * model.config.num_attention_heads * length**2 > DENSE_BYTES


def evaluate_all(
    model: Any,
    tokenizer: Any,
    task: Any,
    config: TrainingConfig,
    path: Path,
    *,
    digest: str = "",
    report: Callable[[Any], None] = lambda result: None,
) -> list:
    """Evaluates the planned lengths; `path` (JSON) keeps them, and what it already holds is not done again.

    `digest` tells the model's weights: what the file holds of other weights does not count.
    `report` is called with each new LengthResult. Returns all of them, in the order of the plan. Scales
    beyond one that scored 0 are left out (with `config.stop_at_zero`), and so are, with a warning, those too
    long for dense attention.
    """
    from ..evaluation.lengths import evaluate_lengths

    plan = planned(config, task)
    origin = {"model": digest, "eval_seed": config.eval_seed, "eval_hard": config.eval_hard}
    kept = _read(path, origin)
    results: list = []
    for mode, scale, examples in plan:
        if config.stop_at_zero and beyond_a_zero(scale, results):
            continue
        if too_long_for_dense(model, task, scale):
            warnings.warn(
                f"n = {scale_text(scale)} is left out: dense attention would need too much memory.", stacklevel=2
            )
            continue
        known = next((r for r in kept if r.mode == mode and tuple(r.n) == scale and r.examples == examples), None)
        if known is None:
            # An embedding with random positions draws the same ones however often the run was cut.
            with own_generator(model.device):
                torch.manual_seed(keyed_seed(config.eval_seed, mode, scale))
                (known,) = evaluate_lengths(
                    model,
                    tokenizer,
                    task,
                    [scale],
                    examples,
                    mode=mode,
                    seed=config.eval_seed,
                    hard=config.eval_hard,
                )
            kept.append(known)
            files.write_json(path, origin | {"lengths": [asdict(result) for result in kept]})
            report(known)
        results.append(known)
    return results


def _read(path: Path, origin: dict[str, Any]) -> list:
    from ..evaluation.length_result import LengthResult

    try:
        # Files of runs that began before there was the setting do not tell it.
        held = {"eval_hard": HARD} | json.loads(path.read_text(encoding="utf-8"))
        if any(held[key] != value for key, value in origin.items()):
            return []
        return [LengthResult(**item) for item in held["lengths"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{path} cannot be read ({problem}); delete it to evaluate again.") from None
