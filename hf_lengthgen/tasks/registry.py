"""Names of tasks -> classes, imported when first asked for."""

import inspect
from collections.abc import Callable
from typing import Any

from .task import Task, nearest


def _copy() -> type[Task]:
    from .copy import Copy

    return Copy


def _reverse() -> type[Task]:
    from .reverse import Reverse

    return Reverse


def _shift() -> type[Task]:
    from .shift import Shift

    return Shift


def _parity() -> type[Task]:
    from .parity import Parity

    return Parity


def _addition() -> type[Task]:
    from .addition import Addition

    return Addition


_BUILT_IN: dict[str, Callable[[], type[Task]]] = {
    "copy": _copy,
    "reverse": _reverse,
    "shift": _shift,
    "parity": _parity,
    "addition": _addition,
}
_REGISTERED: dict[str, type[Task]] = {}


def list_tasks() -> list[str]:
    """The names of all tasks, sorted."""
    return sorted({*_BUILT_IN, *_REGISTERED})


def get_task(name: str, **options: Any) -> Task:
    """The task `name` with these options.

    Raises:
        ValueError: unknown name or option (the message gives the nearest match), or a forbidden value.
    """
    if name in _REGISTERED:
        return _REGISTERED[name](**options)
    if name in _BUILT_IN:
        return _BUILT_IN[name]()(**options)
    raise ValueError(f"unknown task {name!r}; {nearest(name, list_tasks())}")


def register_task(cls: type[Task]) -> type[Task]:
    """Make a Task subclass available under its `name`; usable as a decorator.

    Defining the same class again (a notebook cell run twice) replaces it.

    Raises:
        ValueError: no Task subclass, no name, or the name belongs to another class.
    """
    if not (inspect.isclass(cls) and issubclass(cls, Task)):
        raise ValueError(f"register_task takes a subclass of Task, got {cls!r}")
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not name:
        raise ValueError(f"{cls.__name__} needs a class attribute `name`, a non-empty string; got {name!r}")
    if name in _BUILT_IN:
        if _BUILT_IN[name]() is cls:
            return cls
        raise ValueError(f"the name {name!r} belongs to a built-in task; give {cls.__name__} another `name`")
    other = _REGISTERED.get(name)
    if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"the name {name!r} is taken by {other.__module__}.{other.__qualname__}")
    _REGISTERED[name] = cls
    return cls
