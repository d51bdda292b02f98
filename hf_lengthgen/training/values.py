"""Values as people type them: YAML text to Python, and Python to the type a setting has."""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Hashable
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Reads `1e-3` as a number (PyYAML: a string) and refuses a key given twice (PyYAML: the last wins)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            if isinstance(key, Hashable):  # SafeLoader refuses any other
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_yaml(text: str, source: str) -> Any:
    """YAML text to Python. ValueError, one line with the place, if it is not YAML."""
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader: builds plain values only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ValueError(f"{source}: not valid YAML{place}: {getattr(error, 'problem', None) or error}.") from None


def convert(value: Any, kind: Any, where: str, *, scales: bool = False) -> Any:
    """`value` as `kind` (bool, int, float, str, dict, dict[int, …], list, or one of these | None).

    Text that reads as the wanted type is converted; nothing else is: 1.5 is no int, 3 is no str. With
    `scales`, list items are scales: an int, or a tuple of ints written `[30, 100]` or `30x100`.

    Raises ValueError starting with `where`.
    """
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        options = typing.get_args(kind)
        if value is None or (isinstance(value, str) and value.lower() in ("null", "~")):
            return None
        kind = next(k for k in options if k is not type(None))
        return convert(value, kind, where, scales=scales)
    if typing.get_origin(kind) is dict:
        return _numbered(value, kind, where)
    reader = {bool: _bool, int: _int, float: _float, str: _str, dict: _dict, list: _list}[kind]
    result = reader(value)
    if result is None:
        names = {
            bool: "true or false",
            int: "a whole number",
            float: "a number",
            str: "text",
            dict: "a mapping of option to value",
            list: "a list",
        }
        raise ValueError(f"{where} must be {names[kind]}, got {value!r}.")
    return [_scale(item, where) for item in result] if scales else result


def _bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return words.get(value.lower()) if isinstance(value, str) else None


def _int(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    number = _float(value)  # 1e4 is a fair way to write a number of steps
    return int(number) if number is not None and number.is_integer() else None


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _str(value: Any) -> str | None:
    if value is False:  # how YAML reads the word no, which settings such as mixed_precision have
        return "no"
    return value if isinstance(value, str) else None


def _dict(value: Any) -> dict | None:
    if value is None:  # `position_options:` with nothing after it
        return {}
    return dict(value) if isinstance(value, dict) and all(isinstance(key, str) for key in value) else None


def _numbered(value: Any, kind: Any, where: str) -> dict:
    """A mapping from whole numbers, such as {0: 4, 500: 12}; ValueError starting with `where`."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a mapping of number to number, got {value!r}.")
    keys, values = typing.get_args(kind)
    return {convert(k, keys, f"{where}, key {k!r}"): convert(v, values, f"{where}.{k}") for k, v in value.items()}


def is_mapping(kind: Any) -> bool:
    """Whether a setting of this type has entries of its own (`--setting.entry value`)."""
    return any(part is dict or typing.get_origin(part) is dict for part in (kind, *typing.get_args(kind)))


def _list(value: Any) -> list | None:
    return list(value) if isinstance(value, list | tuple) else None


def _scale(item: Any, where: str) -> int | tuple[int, ...]:
    parts = item.split("x") if isinstance(item, str) else list(item) if isinstance(item, list | tuple) else [item]
    numbers = [_int(part) for part in parts]
    if not numbers or any(number is None for number in numbers):
        raise ValueError(f"{where}: a scale is a whole number, or several as 30x100 or [30, 100]; got {item!r}.")
    return numbers[0] if len(numbers) == 1 else tuple(numbers)
