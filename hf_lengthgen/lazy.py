"""Packages whose names are imported when first used (PEP 562), so that light commands need no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package.

    Args:
        package: its `__name__`; homes: name -> the module, relative to the package, that holds it.

    Raises:
        AttributeError: from `__getattr__`, for a name that is neither in `homes` nor that of a part of the package.
    """
    names = sorted(homes)

    def load(name: str) -> Any:
        if name not in homes:
            if not name.startswith("_") and _is_part(package, name):
                return import_module(f"{package}.{name}")
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return load, lambda: names, names


def _is_part(package: str, name: str) -> bool:
    try:
        return find_spec(f"{package}.{name}") is not None
    except ModuleNotFoundError:  # of the package
        return False
