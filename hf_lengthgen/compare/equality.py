"""Whether the variants of a comparison differ in more than their embedding."""

from __future__ import annotations

from ..training.deciding import deciding
from .grid import Grid

# What variants are for, and what only the gates of one embedding read. The seeds are those of every variant.
_OF_THE_EMBEDDING = (
    "position_embedding",
    "position_options",
    "relations",
    "scale_hint",
    "max_position_embeddings",
    "gate_learning_rate",
    "penalty",
    "penalty_warmup",
    "settle",
    "seed",
)


def equality_text(grid: Grid) -> str:
    """Sentences: that all else is the same for all variants of a task or, where it is not, what differs; and which
    variants have an embedding of other options on some task than elsewhere."""
    return f"{_between_variants(grid)}{_between_tasks(grid)}"


def _between_variants(grid: Grid) -> str:
    differing = _differing(grid)
    if not differing:
        return (
            "On one task all variants have the same model size, data, number of steps and evaluation, except where a "
            "setting belongs to the embedding."
        )
    listed = ", ".join(
        f"{key} (on {'every task' if tasks == grid.tasks else ', '.join(tasks)})" for key, tasks in differing.items()
    )
    return (
        f"Besides settings that belong to the embedding, variants differ in {listed}; all else is the same for all "
        f"variants of a task."
    )


def _differing(grid: Grid) -> dict[str, list[str]]:
    """setting -> the tasks on which its value depends on the variant."""
    found: dict[str, list[str]] = {}
    for task in grid.tasks:
        first, *others = [deciding(cell.config) for cell in grid.cells if cell.task == task]
        for key in first:
            if key not in _OF_THE_EMBEDDING and any(other.get(key) != first[key] for other in others):
                found.setdefault(key, []).append(task)
    return found


def _between_tasks(grid: Grid) -> str:
    """What is set for the embedding of one variant on one task, with the knowledge of the task that is in it."""
    found: dict[tuple[str, str], list[str]] = {}
    for task, variant in dict.fromkeys((cell.task, cell.variant) for cell in grid.cells):
        settings = [key for key in grid.special.get(f"{task}/{variant}", ()) if key in _OF_THE_EMBEDDING]
        if settings:
            found.setdefault((task, ", ".join(settings)), []).append(grid.labels[variant])
    if not found:
        return ""
    listed = "; ".join(f"{task}: {', '.join(labels)} ({keys})" for (task, keys), labels in found.items())
    return f" On some tasks an embedding has other settings than elsewhere: {listed}."
