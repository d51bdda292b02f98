"""Names of tasks -> classes, imported when first asked for."""

import importlib
import inspect
from typing import Any

from .task import Task, nearest

_BUILT_IN = {  # the name, also that of the module, and the class
    "copy": "Copy",
    "reverse": "Reverse",
    "shift": "Shift",
    "parity": "Parity",
    "addition": "Addition",
    "duplicate": "Duplicate",
    "interleave": "Interleave",
    "odds_first": "OddsFirst",
    "missing_duplicate": "MissingDuplicate",
    "unique_copy": "UniqueCopy",
    "repeat_copy": "RepeatCopy",
    "retrieval": "Retrieval",
    "induction_copy": "InductionCopy",
    "running_sum": "RunningSum",
    "majority": "Majority",
    "mode": "Mode",
    "count": "Count",
    "sort": "Sort",
    "sort_numbers": "SortNumbers",
    "max_so_far": "MaxSoFar",
    "even_pairs": "EvenPairs",
    "cycle_navigation": "CycleNavigation",
    "stack_manipulation": "StackManipulation",
    "dyck": "Dyck",
    "scan": "Scan",
    "lego": "Lego",
    "permutation": "Permutation",
    "automaton": "Automaton",
    "tape": "Tape",
    "subtraction": "Subtraction",
    "multi_addition": "MultiAddition",
    "multiplication_digit": "MultiplicationDigit",
    "multiplication": "Multiplication",
    "division_digit": "DivisionDigit",
    "long_division": "LongDivision",
    "square_root": "SquareRoot",
    "polynomial": "Polynomial",
    "modular_arithmetic": "ModularArithmetic",
    "modular_arithmetic_brackets": "ModularArithmeticBrackets",
    "solve_equation": "SolveEquation",
    "binary_addition": "BinaryAddition",
    "binary_multiplication": "BinaryMultiplication",
}
_REGISTERED: dict[str, type[Task]] = {}


def _built_in(name: str) -> type[Task]:
    return getattr(importlib.import_module(f".{name}", __package__), _BUILT_IN[name])


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
        return _built_in(name)(**options)
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
        if _built_in(name) is cls:
            return cls
        raise ValueError(f"the name {name!r} belongs to a built-in task; give {cls.__name__} another `name`")
    other = _REGISTERED.get(name)
    if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"the name {name!r} is taken by {other.__module__}.{other.__qualname__}")
    _REGISTERED[name] = cls
    return cls
