"""JSON from elsewhere: a key twice in one object, of which readers keep one or the other, is an error."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str, *, constants: bool = False) -> Any:
    """What `json.loads` gives.

    Args:
        constants: accept NaN and Infinity, which Python writes though JSON has none.

    Raises:
        json.JSONDecodeError: the text is not JSON.
        ValueError: a key twice, a constant, or nesting beyond Python's depth; no full stop, for callers name the file.
    """
    try:
        return json.loads(text, object_pairs_hook=_no_repeats, parse_constant=None if constants else _no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict:
    data = dict(pairs)
    if len(data) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key!r} occurs twice in one object")
            seen.add(key)
    return data


def _no_constant(text: str) -> None:
    raise ValueError(f"it holds {text}, which is not a number")
