"""What decides a run's weights and its result, and whether two runs were made under the same settings.

`TrainingConfig` says of each setting what it decides: "weights" (and with them the result), "scores", or "nothing" but
where a run writes and how it is cut into pieces and watched.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .arguments import TrainingConfig

# With early stopping the validations decide when training ends.
_VALIDATION = ("validate_every", "validate_lengths", "eval_seed", "eval_hard")


def deciding(config: TrainingConfig, what: str = "scores") -> dict[str, Any]:
    """The settings on which the result depends, as JSON gives them back; with `what` = "weights" those on which the
    trained weights do."""
    plain = json.loads(json.dumps(config.to_dict()))
    return {key: value for key, value in plain.items() if key in _keys(config.early_stopping > 0, what)}


def _keys(stops_early: bool, what: str) -> set[str]:
    marks = {f.name: f.metadata["decides"] for f in dataclasses.fields(TrainingConfig)}
    keys = {key for key, mark in marks.items() if mark in ("weights", what)}
    return keys | set(_VALIDATION) if stops_early else keys


def digest(settings: Mapping[str, Any]) -> str:
    """64 bits, hexadecimal, of settings in any order."""
    text = json.dumps(dict(settings), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """The first setting in which two results differ, with both values; None if in none.

    A setting that one side lacks, since it was made by another version, has its default there. One that decides
    nothing may stand in a result of a version that took it to.
    """
    defaults = json.loads(json.dumps(TrainingConfig().to_dict()))
    free = defaults.keys() - _keys(bool(new.get("early_stopping")), "scores")
    for key in [*new, *(key for key in old if key not in new and key not in free)]:
        before, now = (side.get(key, defaults.get(key)) for side in (old, new))
        if before != now:
            return f"{key} was {before!r} and is {now!r}"
    return None
