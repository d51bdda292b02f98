"""`lengthgen train`."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any


def add_parser(commands: Any, program: str) -> None:
    """Adds the command to a parser's `commands` (what `add_subparsers` returns); `program` is for its usage."""
    train = commands.add_parser(
        "train",
        help="train, evaluate and write down one run",
        description="Trains a model, evaluates it at every length, writes model, result, curve and card.\n"
        "Started again with the same output_dir, a run goes on where it stopped.\n"
        "With --base_model it adds a Scale Hint and learned relations to a pretrained model: docs/retrofit.md.",
        usage=f"{program} train [--config CONFIG] [--SETTING VALUE ...]",
        epilog=_settings_help(),
    )
    train.add_argument("--config", help="a YAML file, or the name of a packaged config such as addition/lbpe")
    train.set_defaults(run=_train)


def _settings_help() -> str:
    """Every setting of training with its default, and the packaged configs."""
    from .arguments import TrainingConfig, list_configs

    lines = ["settings (YAML keys; on the command line --key value, options of options --key.option value):"]
    default = TrainingConfig().to_dict()
    for field in dataclasses.fields(TrainingConfig):
        value = "null" if default[field.name] is None else default[field.name]
        lines.append(f"  --{field.name:<30}{field.metadata['help']} [{value}]")
    return "\n".join([*lines, "", f"packaged configs: {', '.join(list_configs()) or '(none)'}"])


def _train(chosen: argparse.Namespace, rest: list[str], command: str) -> None:
    if any(word.partition("=")[0] == "--base_model" for word in rest):
        from ..retrofit.run import train_from_words

        train_from_words([*(["--config", chosen.config] if chosen.config else []), *rest], command)
        return
    from .arguments import load_training_config

    config = load_training_config(chosen.config, rest)
    from ..evaluation.length_result import length_columns
    from .run import run

    result = run(config, command)
    for label, one in (result if isinstance(result, dict) else {None: result}).items():
        if one is not None:
            table = length_columns(one.lengths)
            print(table if label is None else f"{label}\n{table}\n")
