"""From a JSON object to a dataclass, with every way it can be wrong told in one sentence."""

import dataclasses
import difflib
import math
import types
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

_KINDS = {
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    bool: "true or false",
    dict: "an object",
}


def build(cls: type[T], data: Any, where: str) -> T:
    """Make the dataclass `cls` from a dict.

    Args:
        cls: a dataclass whose annotations are plain types, `list[...]` and `... | None`.
        data: what was read; a dict with one key per field (fields with a default may be left out).
        where: what the messages call the object, such as "results/x.json: lengths[3]".

    Raises:
        ValueError: for anything but an object, for unknown and missing keys, for a value of the wrong type,
            and for what `cls` itself refuses.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{where} must be an object with named fields, got {_name(data)}.")
    known = {field.name: field for field in dataclasses.fields(cls)}
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.0)[0]
            raise ValueError(f"{where} has the unknown key {key!r}; the nearest known key is {near!r}.")
    missing = [name for name, field in known.items() if name not in data and _required(field)]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(map(repr, missing))}.")
    check_types(cls, data, where)
    try:
        return cls(**data)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def check_types(cls: type, data: dict, where: str) -> None:
    """Compare every value with the annotation of its field in the dataclass `cls` (ValueError names the first
    misfit).
    """
    hints = get_type_hints(cls)
    for key, value in data.items():
        if not _fits(value, hints[key]):
            raise ValueError(f"{where}: {key!r} must be {_describe(hints[key])}, got {_name(value)}.")


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is types.UnionType:
        return any(_fits(value, option) for option in get_args(hint))
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_fits(item, get_args(hint)[0]) for item in value)
    if hint is Any:
        return True
    if hint is types.NoneType:
        return value is None
    if hint in (int, float):
        # JSON's true is no number, though Python's is; and NaN is not JSON.
        allowed = int if hint is int else (int, float)
        return isinstance(value, allowed) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    if get_origin(hint) is types.UnionType:
        return " or ".join(_describe(option) for option in get_args(hint))
    if get_origin(hint) is list:
        return "a list" if get_args(hint)[0] is Any else f"a list, each item {_describe(get_args(hint)[0])}"
    if hint is types.NoneType:
        return "null"
    return _KINDS.get(hint, f"an object ({getattr(hint, '__name__', hint)})")


def _name(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
