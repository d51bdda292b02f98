"""Words of the command line that argparse left over: options of options, and what no command takes."""

from __future__ import annotations

from typing import Any


def nothing_more(rest: list[str]) -> None:
    """ValueError unless nothing is left."""
    if rest:
        raise ValueError(f"unknown argument {rest[0]!r}.")


def dotted_options(rest: list[str], *settings: str) -> dict[str, dict[str, Any]]:
    """`--task_options.base 2` -> {"task_options": {"base": 2}}, each of these settings of training with its options.

    Raises:
        ValueError: another word is left, an option is given twice, or has no value.
    """
    from .training.arguments import apply_overrides, parse_overrides

    starts = tuple(f"--{setting}." for setting in settings)
    nothing_more([word for word in rest if word.startswith("--") and not word.startswith(starts)])
    values: dict[str, Any] = {}
    apply_overrides(values, parse_overrides(rest))
    return {setting: values.get(setting, {}) for setting in settings}
