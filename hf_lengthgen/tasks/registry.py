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


def _duplicate() -> type[Task]:
    from .duplicate import Duplicate

    return Duplicate


def _interleave() -> type[Task]:
    from .interleave import Interleave

    return Interleave


def _odds_first() -> type[Task]:
    from .odds_first import OddsFirst

    return OddsFirst


def _missing_duplicate() -> type[Task]:
    from .missing_duplicate import MissingDuplicate

    return MissingDuplicate


def _unique_copy() -> type[Task]:
    from .unique_copy import UniqueCopy

    return UniqueCopy


def _repeat_copy() -> type[Task]:
    from .repeat_copy import RepeatCopy

    return RepeatCopy


def _retrieval() -> type[Task]:
    from .retrieval import Retrieval

    return Retrieval


def _induction_copy() -> type[Task]:
    from .induction_copy import InductionCopy

    return InductionCopy


def _running_sum() -> type[Task]:
    from .running_sum import RunningSum

    return RunningSum


def _majority() -> type[Task]:
    from .majority import Majority

    return Majority


def _mode() -> type[Task]:
    from .mode import Mode

    return Mode


def _count() -> type[Task]:
    from .count import Count

    return Count


def _sort() -> type[Task]:
    from .sort import Sort

    return Sort


def _sort_numbers() -> type[Task]:
    from .sort_numbers import SortNumbers

    return SortNumbers


def _max_so_far() -> type[Task]:
    from .max_so_far import MaxSoFar

    return MaxSoFar


def _even_pairs() -> type[Task]:
    from .even_pairs import EvenPairs

    return EvenPairs


def _cycle_navigation() -> type[Task]:
    from .cycle_navigation import CycleNavigation

    return CycleNavigation


def _stack_manipulation() -> type[Task]:
    from .stack_manipulation import StackManipulation

    return StackManipulation


def _dyck() -> type[Task]:
    from .dyck import Dyck

    return Dyck


def _scan() -> type[Task]:
    from .scan import Scan

    return Scan


def _lego() -> type[Task]:
    from .lego import Lego

    return Lego


def _permutation() -> type[Task]:
    from .permutation import Permutation

    return Permutation


def _automaton() -> type[Task]:
    from .automaton import Automaton

    return Automaton


def _tape() -> type[Task]:
    from .tape import Tape

    return Tape


def _subtraction() -> type[Task]:
    from .subtraction import Subtraction

    return Subtraction


def _multi_addition() -> type[Task]:
    from .multi_addition import MultiAddition

    return MultiAddition


def _multiplication_digit() -> type[Task]:
    from .multiplication_digit import MultiplicationDigit

    return MultiplicationDigit


def _multiplication() -> type[Task]:
    from .multiplication import Multiplication

    return Multiplication


def _division_digit() -> type[Task]:
    from .division_digit import DivisionDigit

    return DivisionDigit


def _long_division() -> type[Task]:
    from .long_division import LongDivision

    return LongDivision


def _square_root() -> type[Task]:
    from .square_root import SquareRoot

    return SquareRoot


def _polynomial() -> type[Task]:
    from .polynomial import Polynomial

    return Polynomial


def _modular_arithmetic() -> type[Task]:
    from .modular_arithmetic import ModularArithmetic

    return ModularArithmetic


def _modular_arithmetic_brackets() -> type[Task]:
    from .modular_arithmetic_brackets import ModularArithmeticBrackets

    return ModularArithmeticBrackets


def _solve_equation() -> type[Task]:
    from .solve_equation import SolveEquation

    return SolveEquation


def _binary_addition() -> type[Task]:
    from .binary_addition import BinaryAddition

    return BinaryAddition


def _binary_multiplication() -> type[Task]:
    from .binary_multiplication import BinaryMultiplication

    return BinaryMultiplication


_BUILT_IN: dict[str, Callable[[], type[Task]]] = {
    "copy": _copy,
    "reverse": _reverse,
    "shift": _shift,
    "parity": _parity,
    "addition": _addition,
    "duplicate": _duplicate,
    "interleave": _interleave,
    "odds_first": _odds_first,
    "missing_duplicate": _missing_duplicate,
    "unique_copy": _unique_copy,
    "repeat_copy": _repeat_copy,
    "retrieval": _retrieval,
    "induction_copy": _induction_copy,
    "running_sum": _running_sum,
    "majority": _majority,
    "mode": _mode,
    "count": _count,
    "sort": _sort,
    "sort_numbers": _sort_numbers,
    "max_so_far": _max_so_far,
    "even_pairs": _even_pairs,
    "cycle_navigation": _cycle_navigation,
    "stack_manipulation": _stack_manipulation,
    "dyck": _dyck,
    "scan": _scan,
    "lego": _lego,
    "permutation": _permutation,
    "automaton": _automaton,
    "tape": _tape,
    "subtraction": _subtraction,
    "multi_addition": _multi_addition,
    "multiplication_digit": _multiplication_digit,
    "multiplication": _multiplication,
    "division_digit": _division_digit,
    "long_division": _long_division,
    "square_root": _square_root,
    "polynomial": _polynomial,
    "modular_arithmetic": _modular_arithmetic,
    "modular_arithmetic_brackets": _modular_arithmetic_brackets,
    "solve_equation": _solve_equation,
    "binary_addition": _binary_addition,
    "binary_multiplication": _binary_multiplication,
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
