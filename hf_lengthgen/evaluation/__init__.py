"""Evaluation: exact match per length, its statistics, the result file, figure and table.

Names are imported when first used: results, figures and tables need no torch.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "ExactMatchByLength": "evaluate_metrics",
    "FinalAnswerAccuracy": "evaluate_metrics",
    "LengthResult": "length_result",
    "Result": "result",
    "TokenAccuracy": "evaluate_metrics",
    "bootstrap": "statistics",
    "effective_length": "statistics",
    "effective_lengths": "statistics",
    "evaluate_lengths": "lengths",
    "extrapolation_area": "statistics",
    "extrapolation_factor": "statistics",
    "final_accuracy": "answers",
    "length_grid": "length_grid",
    "make_curves": "curves",
    "markdown_table": "report",
    "plot_curves": "plot",
    "step_accuracy": "answers",
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
