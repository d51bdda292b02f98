"""Command lines and settings as others can give them: without the places of this machine."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

# Options whose value is a place.
PLACES = (
    *("base_model", "config", "dataset", "init_from", "model", "output", "output_dir", "result", "start_from"),
    "work_dir",
)


def portable(words: Sequence[str]) -> str:
    """A command line in which an absolute path of this machine is its option in capitals (without one: PLACE) or, where
    it lies below the current folder, the path from there."""
    plain, key = [], ""
    for word in words:
        name, equals, value = word.partition("=") if word.startswith("--") else (key, "", word)
        name = name.lstrip("-")
        path = Path(value)
        if path.is_absolute() and (name in PLACES or (len(path.parts) > 2 and path.exists())):
            value = portable_place(name or "place", value)
            word = f"--{name}={value}" if equals else value
        plain.append(word)
        key = name if word.startswith("--") and not equals else ""
    return shlex.join(plain)


def portable_place(name: str, value: str) -> str:
    """A place as others can give it; `name` in capitals stands for an absolute one beyond the current folder."""
    path = Path(value)
    if not path.is_absolute():
        return value
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else name.upper()
