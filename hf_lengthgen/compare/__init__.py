"""Comparisons: tasks x variants x seeds from one YAML file, run cell by cell, and their report.

Names are imported when first used: listing a comparison needs no torch.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Cell": "grid",
    "Grid": "grid",
    "Layout": "layout",
    "load_grid": "grid",
    "run_cells": "runner",
    "write_report": "report",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
