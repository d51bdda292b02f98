"""What decides a cell's numbers, and whether two cells were made under the same settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..training.arguments import TrainingConfig

# Where a run writes, how it is cut into pieces and watched.
_FREE = (
    "name",
    "output_dir",
    "resume",
    "threads",
    "num_processes",
    "save_every",
    "keep_checkpoints",
    "validate_every",
    "validate_lengths",
)


def deciding(config: TrainingConfig) -> dict[str, Any]:
    """The settings on which a result depends, as JSON gives them back."""
    plain = json.loads(json.dumps(config.to_dict()))
    return {key: value for key, value in plain.items() if key not in _FREE}


def digest(settings: Mapping[str, Any]) -> str:
    """64 bits, hexadecimal, of settings in any order."""
    text = json.dumps(dict(settings), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """The first setting in which two cells differ, with both values; None if in none.

    A setting that one side lacks, since it was made by another version, has its default there.
    """
    defaults = deciding(TrainingConfig())
    for key in [*new, *(key for key in old if key not in new)]:
        before, now = (side.get(key, defaults.get(key)) for side in (old, new))
        if before != now:
            return f"{key} was {before!r} and is {now!r}"
    return None
