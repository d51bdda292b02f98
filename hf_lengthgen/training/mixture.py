"""Several tasks in one run: how they are written down, and the parts that a run is made of.

    tasks: [{name: copy}, {name: reverse, weight: 2}, {name: shift, label: rotate, task_options: {symbols: abcd}}]

A run on a single task has one part, without a label.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from ..nearest import did_you_mean

KEYS = ("name", "label", "weight", "task_options")


class Part(NamedTuple):
    """One task of a run. `label` is None where there is only one."""

    label: str | None
    task: Any
    tokenizer: Any  # puts the begin token of this task in front of a prompt
    options: dict[str, Any]


def read_tasks(given: list) -> list[dict[str, Any]]:
    """The setting `tasks` with every entry written out as name, label, weight, task_options.

    An entry is a task's name, or a mapping. ValueError, one sentence, for anything else, for fewer than two entries,
    for labels (default: the names) that occur twice, and for weights that are not positive numbers.
    """
    entries = []
    for place, item in enumerate(given):
        where = f"tasks, entry {place + 1}"
        item = {"name": item} if isinstance(item, str) else item
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise ValueError(f"{where} must be a task's name or a mapping with the key name, got {item!r}.")
        for key in item:
            if key not in KEYS:
                hint = did_you_mean(key, KEYS) or "."
                raise ValueError(f"{where} has no key {key!r}, only {', '.join(KEYS)}{hint}")
        label, options = item.get("label", item["name"]), item.get("task_options") or {}
        if not isinstance(label, str):
            raise ValueError(f"{where}: label must be text, got {label!r}.")
        if not isinstance(options, dict):
            raise ValueError(f"{where}: task_options must be a mapping of option to value, got {options!r}.")
        weight = item.get("weight", 1)
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 < weight < math.inf:
            raise ValueError(f"{where}: weight must be a positive number, got {weight!r}.")
        entries.append({"name": item["name"], "label": label, "weight": weight, "task_options": dict(options)})
    labels = [entry["label"] for entry in entries]
    if len(labels) < 2:
        raise ValueError("tasks must name at least two tasks; for a single one there are task and task_options.")
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise ValueError(f"tasks has {twice!r} twice: give the entries different labels.")
    return entries


def build_parts(config: Any) -> tuple[list[Part], Any]:
    """The parts of a run, and the tokenizer of its model. ValueError for unknown tasks and options."""
    from ..data.tokenizer import build_tokenizer
    from ..tasks import get_task

    if config.tasks is None:
        task = get_task(config.task, **config.task_options)
        tokenizer = build_tokenizer(task)
        return [Part(None, task, tokenizer, config.task_options)], tokenizer
    from ..data.mixed import build_mixed_tokenizer, task_tokenizer

    tasks = {entry["label"]: get_task(entry["name"], **entry["task_options"]) for entry in config.tasks}
    tokenizer = build_mixed_tokenizer(tasks)
    options = {entry["label"]: entry["task_options"] for entry in config.tasks}
    return [Part(key, task, task_tokenizer(tokenizer, key), options[key]) for key, task in tasks.items()], tokenizer


def choose_part(config: Any, tokenizer: Any, label: str | None = None) -> Part:
    """One part of a trained model: `config` and `tokenizer` are the model's own, as loaded.

    ValueError: the model knows several tasks and no label is given, or it does not know this one.
    """
    from ..tasks import get_task

    if config.tasks is None:
        return Part(None, get_task(config.task, **config.task_options), tokenizer, config.task_options)
    from ..data.mixed import task_tokenizer
    from ..tasks.task import nearest

    entries = {entry["label"]: entry for entry in config.tasks}
    if label is None:
        raise ValueError(f"the model was trained on {', '.join(entries)}: say which with --task.")
    if label not in entries:
        raise ValueError(f"the model was not trained on a task {label!r}; {nearest(label, list(entries))}")
    options = entries[label]["task_options"]
    return Part(label, get_task(entries[label]["name"], **options), task_tokenizer(tokenizer, label), options)


def part_to_evaluate(folder: Path, tokenizer: Any, name: str | None = None, options: dict | None = None) -> Part:
    """The task on which the model in `folder` is to be evaluated: by default the one it was trained on.

    `tokenizer`: the model's. `name`, `options`: another task and its options; of a model for several, the label of one.
    ValueError as for `choose_part`, and where how it was trained is needed and unknown.
    """
    from ..data.mixed import task_labels
    from ..tasks import get_task
    from .saving import read_training

    options = options or {}
    if name is not None and not task_labels(tokenizer):
        return Part(None, get_task(name, **options), tokenizer, options)
    config, _ = read_training(folder)
    if config.tasks is None:
        options = config.task_options | options
        return Part(None, get_task(config.task, **options), tokenizer, options)
    part = choose_part(config, tokenizer, name)
    if options:
        raise ValueError(f"a model for several tasks has the options of its tasks; {part.label}'s are {part.options}.")
    return part


def scale_rule(config: Any, parts: list[Part], tokenizer: Any) -> list | None:
    """The scale rule of the model in token ids; None where the hint is always given, or there is none.

    ValueError for tasks that one model cannot take together: other numbers of hints, or, where the hint is read off the
    prompt, other marks.
    """
    from ..data.mixed import mixed_scale_rule
    from ..data.tokenizer import scale_rule_ids

    if config.tasks is None:
        return scale_rule_ids(parts[0].task, tokenizer)
    if config.scale_hint == "none":
        return None
    rule = mixed_scale_rule({part.label: part.task for part in parts}, tokenizer)
    if rule is None and config.scale_hint == "prompt":
        ends = ", ".join(f"{part.label} {part.task.scale_rule[0][1]!r}" for part in parts)
        raise ValueError(
            f"these tasks mark the end of what is counted in different ways ({ends}), so that one model cannot read "
            "its Scale Hint off the prompt: set scale_hint to input, or to none."
        )
    return rule


def told(config: Any, label: str) -> str:
    """One sentence for results and cards: what was mixed, and how this task is told."""
    total = sum(entry["weight"] for entry in config.tasks)
    shares = ", ".join(f"{entry['label']} {entry['weight'] / total:.0%}" for entry in config.tasks)
    return f"one model for several tasks (share of the steps: {shares}), told by the first token, here <{label}>"
