"""Predictions held against measurements: a confusion matrix per embedding."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median_low

from ..evaluation.curves import Curve, make_curves
from ..evaluation.labels import variant_name
from ..evaluation.table import markdown
from ..tasks import get_task
from .predict import UNBOUNDED, Prediction

OUTCOMES = ("both", "predicted only", "measured only", "neither", "no prediction")


@dataclass
class Agreement:
    """Predictions against measurements, on which side of a length both lie.

    Attributes:
        length, threshold: effective length at this exact match, compared with `length`.
        table: embedding and hint, whatever the options -> counts of "both", "predicted only", "measured only",
            "neither", "no prediction".
        exceptions: (task, variant, what was predicted, measured effective length) where the sides differ.
        unmeasured: predictions without a result, or whose result stops short of `length` without having failed.
    """

    length: int
    threshold: float
    table: dict[str, dict[str, int]] = field(default_factory=dict)
    exceptions: list[tuple[str, str, str, int]] = field(default_factory=list)
    unmeasured: list[str] = field(default_factory=list)

    @property
    def totals(self) -> dict[str, int]:
        """The table's columns, summed."""
        return {key: sum(row[key] for row in self.table.values()) for key in OUTCOMES}

    def _decided(self) -> list[int]:
        return [self.totals[key] for key in OUTCOMES[:4]]

    @property
    def share(self) -> float | None:
        """Share of the decided cells on which both agree; None if there is none."""
        both, predicted_only, measured_only, neither = self._decided()
        decided = both + predicted_only + measured_only + neither
        return (both + neither) / decided if decided else None

    def markdown(self) -> str:
        """A table, the share, how far either kind of prediction is to be trusted, and the exceptions.

        Most cells fall short of a great length, so the share alone says little: it stands beside that of a rule which
        always names the commoner side.
        """
        rows = [[name, *(str(row[key]) for key in OUTCOMES)] for name, row in sorted(self.table.items())]
        text = markdown(["embedding", *OUTCOMES], [*rows, ["all", *map(str, self.totals.values())]])
        text += f"\nSides of an effective length ({self.threshold:.0%}) of {self.length:,}: {self._sides()}"
        text += f"; {len(self.unmeasured)} predictions without a measurement.\n"
        for task, variant, predicted, measured in self.exceptions:
            text += f"\n* {task}, {variant}: predicted {predicted}, measured {measured:,}"
        return text + "\n" if self.exceptions else text

    def _sides(self) -> str:
        if self.share is None:
            return "no cell decides"
        both, predicted_only, measured_only, neither = self._decided()
        far, short = both + measured_only, predicted_only + neither
        commoner = max(far, short) / (far + short)
        return (
            f"agreement {self.share:.1%} (always naming the commoner side: {commoner:.1%}). "
            f"Of {both + predicted_only} cells predicted to reach it {both} do, "
            f"of {measured_only + neither} predicted not to {neither} do not"
        )


def agreement(
    predictions: Sequence[Prediction], results, length: int = 1000, threshold: float = 0.95, chained: bool = False
) -> Agreement:
    """Hold predictions against results: is the effective length on the predicted side?

    It is that of the tables of a comparison: the lower median of the runs' own.

    Results without a prediction are left out. A result's position options need not be spelled as in the prediction
    where the rest names one prediction only (IPE's relations are filled in per task). `chained`: judge the second
    prediction, that of reads that follow one another.

    Raises:
        ValueError: what `make_curves` refuses.
    """
    out = Agreement(length, threshold)
    curves = {}
    for curve in make_curves(results) if results else []:
        curves.setdefault(_cell_key(curve.first), []).append(curve)
    for prediction in predictions:
        variant = variant_name(prediction.position_embedding, prediction.scale_hint, prediction.position_options)
        cell = f"{prediction.task} {json.dumps(prediction.task_options)}, {variant}"
        found = curves.get(_cell_key(prediction), [])
        exact = [c for c in found if c.first.position_options == prediction.position_options]
        if not exact and len(found) == 1 and _only(predictions, prediction):
            exact = found
        if not exact:
            out.unmeasured.append(cell)
            continue
        embedding = variant_name(prediction.position_embedding, prediction.scale_hint)
        row = out.table.setdefault(embedding, dict.fromkeys(OUTCOMES, 0))
        measured, at_most = _bounds(exact[0], threshold)
        if measured < length <= at_most:
            out.unmeasured.append(cell)  # right as far as it was tested
            continue
        predicted = prediction.reaches(length, chained)
        if predicted is None:
            row["no prediction"] += 1
            continue
        outcome = {(1, 1): "both", (1, 0): "predicted only", (0, 1): "measured only", (0, 0): "neither"}
        row[outcome[int(predicted), int(measured >= length)]] += 1
        if predicted != (measured >= length):
            largest = prediction.chained if chained else prediction.largest
            shown = "no bound" if largest == UNBOUNDED else f"{largest:,}"
            name = prediction.task + (f" {prediction.task_options}" if prediction.task_options else "")
            out.exceptions.append((name, variant, shown, measured))
    return out


def _cell_key(cell) -> tuple[str, ...]:
    """Task with all its options, embedding, whether it has the hint, and the longest training length: of a prediction
    or a result."""
    options = json.dumps(get_task(cell.task, **cell.task_options).options, sort_keys=True)
    return cell.task, options, cell.position_embedding, str(cell.scale_hint != "none"), str(cell.n_max)


def _bounds(curve: Curve, threshold: float) -> tuple[int, float]:
    """The lower median of the runs' effective lengths, and what it could be had all runs been tested at all lengths."""
    reaches = curve.reaches(threshold)
    tested = [max((max(score.n) for score in run.lengths), default=0) for run in curve.results]
    open_ended = [math.inf if reach == end else reach for reach, end in zip(reaches, tested, strict=True)]
    return median_low(reaches), median_low(open_ended)


def _only(predictions: Sequence[Prediction], wanted: Prediction) -> bool:
    return sum(_cell_key(p) == _cell_key(wanted) for p in predictions) == 1
