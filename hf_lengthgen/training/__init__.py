"""Training: configuration, loop, checkpoints, and the resumable run. Names are imported on first use."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "TrainingConfig": "arguments",
    "load_training_config": "arguments",
    "learning_rate_factor": "schedule",
    "penalty_weight": "schedule",
    "train": "loop",
    "Trained": "loop",
    "TrainingDiverged": "loop",
    "TrainingInterrupted": "signals",
    "CheckpointError": "checkpoints",
    "run": "run",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
