"""What a person sees while a model trains, and the record that stays."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import Any

from ..evaluation.scale import scale_text


@dataclass
class History:
    """The course of training.

    records: one dict per logged step with `step` (steps done), `loss` (cross-entropy per answer token),
    `learning_rate`, `penalty_weight`, `open_gates` (None without gates) and, where the quick validation ran,
    `solved` (scales at which every example was right) and `exact_match` ({scale: share}). A run on several tasks has
    the step's `task`, and its `exact_match` is {task and scale: share}. `validate_lengths`: what was to be validated.
    seconds: time spent in training, over all resumptions.
    peak_memory_mb: largest memory in use, in MiB; None where it cannot be measured.
    n_range: the shortest and longest training length, priming included; None where it is not on record.
    best_of_run: whether the history was cut at the best validation, whose weights it goes with.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    peak_memory_mb: float | None = None
    n_range: list[int] | None = None
    best_of_run: bool = False

    @property
    def final_loss(self) -> float | None:
        return self.records[-1]["loss"] if self.records else None

    def final_loss_of(self, task: str) -> float | None:
        """The last loss on record of a step on this task, of several; None if there is none."""
        return next((record["loss"] for record in reversed(self.records) if record.get("task") == task), None)

    @property
    def steps(self) -> int:
        """Steps that were done, as far as they are on record."""
        return self.records[-1]["step"] if self.records else 0

    def best(self) -> dict[str, Any] | None:
        """The record of the first validation that no other beats in mean exact match; None without validations.

        Of those with the scales of the last one: a resumed run may have others. Scales that a validation left out,
        because a shorter one was at 0, count as 0.
        """
        return max(self._validated(), key=_score, default=None)

    def better_than_last(self) -> dict[str, Any] | None:
        """The best validation's record if the last validation was worse, else None."""
        best = self.best()
        return best if best is not None and _score(best) > _score(self._validated()[-1]) else None

    def cut_at(self, step: int) -> History:
        """The history that goes with the weights which `step` left, kept as the best of the run."""
        records = [record for record in self.records if record["step"] <= step]
        return replace(self, records=records, best_of_run=True)

    def _validated(self) -> list[dict[str, Any]]:
        records = [record for record in self.records if "exact_match" in record]
        return [r for r in records if r.get("validate_lengths") == records[-1].get("validate_lengths")]


def _score(record: dict[str, Any]) -> float:
    return sum(record["exact_match"].values())


class Progress:
    """A bar on a terminal, one line per validation elsewhere. Silent unless `show`."""

    def __init__(self, steps: int, start: int, show: bool, label: str) -> None:
        self.steps, self.show = steps, show
        self.bar = None
        if show and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=steps, initial=start, desc=label, dynamic_ncols=True)

    def step(self, record: dict[str, Any], solved: list) -> None:
        if self.bar is not None:
            self.bar.update()
            self.bar.set_postfix_str(_summary(record, solved), refresh=False)

    def line(self, record: dict[str, Any], solved: list) -> None:
        """Called where the validation ran."""
        if self.show and self.bar is None:
            print(f"step {record['step']}/{self.steps}: {_summary(record, solved)}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _summary(record: dict[str, Any], solved: list) -> str:
    parts = [f"loss {record['loss']:.4f}"]
    if record["open_gates"] is not None:
        parts.append(f"gates {record['open_gates']}")
    scales = " ".join(map(scale_text, solved))
    parts.append(f"solved {scales or '-'}")
    return ", ".join(parts)
