"""Comparisons: tasks x variants x seeds from one YAML file, run cell by cell, and their report.

Names are imported when first used.
"""

from ..lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "Cell": "grid",
        "Grid": "grid",
        "Layout": "layout",
        "load_grid": "grid",
        "run_cells": "runner",
        "write_report": "report",
    },
)
