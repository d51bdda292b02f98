"""What a comparison calls its variants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..evaluation.labels import variant_name

if TYPE_CHECKING:
    from .grid import Cell


def variant_labels(cells: Iterable[Cell], given: Mapping[str, str | None]) -> dict[str, str]:
    """variant -> the label that is given, or one made of embedding and hint (`variant_name`); its name where these are
    not the same on all tasks, or where another variant would be called so too.
    """
    made: dict[str, set[str]] = {}
    for cell in cells:
        config = cell.config
        made.setdefault(cell.variant, set()).add(variant_name(config.position_embedding, config.scale_hint))
    labels = {}
    for variant, label in given.items():
        own = made.get(variant, set())
        labels[variant] = label or (next(iter(own)) if len(own) == 1 else variant)
    while shared := _shared(labels, given):  # again: a name may be what yet another one is called
        labels |= {variant: variant for variant in shared}
    return labels


def check_labels(given: Mapping[str, str | None], where: str) -> None:
    """ValueError for a label that is another variant's label or name."""
    owners = {variant: variant for variant in given}
    for variant, label in given.items():
        if label and owners.setdefault(label, variant) != variant:
            raise ValueError(f"{where}: {variant}: the label {label!r} belongs to {owners[label]} already.")


def _shared(labels: Mapping[str, str], given: Mapping[str, str | None]) -> list[str]:
    """Variants whose label can give way to their name, and has to."""
    counts = Counter(labels.values())
    return [v for v, label in labels.items() if counts[label] > 1 and label != v and not given[v]]
