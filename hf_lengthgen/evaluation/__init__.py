"""Evaluation: exact match per length, its statistics, the result file, figure and table.

Names are imported when first used: results, figures and tables need no torch.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "LengthResult": "length_result",
    "Result": "result",
    "effective_length": "statistics",
    "evaluate_lengths": "lengths",
    "extrapolation_factor": "statistics",
    "make_curves": "curves",
    "markdown_table": "report",
    "plot_curves": "plot",
    "t_interval": "statistics",
    "wilson": "statistics",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
