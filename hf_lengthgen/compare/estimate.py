"""How long cells take: a rough guess, corrected by those that are finished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..evaluation.result import Result
from ..tasks import get_task
from .grid import Cell

# Measured on one shared core, 2 layers of width 128, batch 128: seconds per step and token of the longest example.
_STEP_TOKEN_SECONDS = 0.004
_AROUND_SECONDS = 40  # starting, and evaluation
_HIDDEN, _BATCH = 128, 128


class Estimate:
    """Seconds of a cell by `estimate(cell)`, `finished` being the wall times of some."""

    def __init__(self, finished: Mapping[Cell, float]) -> None:
        self.own = {(cell.task, cell.variant): seconds for cell, seconds in finished.items()}
        self.variant = _ratios((cell.variant, cell, seconds) for cell, seconds in finished.items())
        self.overall = _ratios(("", cell, seconds) for cell, seconds in finished.items()).get("", 1.0)

    def __call__(self, cell: Cell) -> float:
        known = self.own.get((cell.task, cell.variant))
        return known if known is not None else prior(cell) * self.variant.get(cell.variant, self.overall)

    def total(self, cells: Iterable[Cell]) -> float:
        return sum(map(self, cells))


def prior(cell: Cell) -> float:
    """The guess before anything is measured."""
    config = cell.config
    task = get_task(config.task, **config.task_options)
    tokens = 2 + sum(task.lengths(task.expand(config.n_max)))
    size = (config.hidden_size / _HIDDEN) * (config.batch_size / _BATCH) * (config.num_hidden_layers / 2)
    return _AROUND_SECONDS + _STEP_TOKEN_SECONDS * config.steps * tokens * size


def wall_seconds(result: Result) -> float:
    """Of a finished cell: its wall time or, where that was not measured, training and evaluation."""
    if result.wall_seconds is not None:
        return result.wall_seconds
    return (result.train_seconds or 0.0) + (result.eval_seconds or 0.0)


def duration(seconds: float) -> str:
    """ "45 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _ratios(measured: Iterable[tuple[str, Cell, float]]) -> dict[str, float]:
    """Per key, measured over guessed."""
    sums: dict[str, tuple[float, float]] = {}
    for key, cell, seconds in measured:
        real, guessed = sums.get(key, (0.0, 0.0))
        sums[key] = real + seconds, guessed + prior(cell)
    return {key: real / guessed for key, (real, guessed) in sums.items()}
