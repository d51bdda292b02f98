"""The score of one model at one length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from .scale import scale_text
from .statistics import wilson
from .table import columns

MODES = ("generate", "teacher")


@dataclass(frozen=True)
class LengthResult:
    """How many examples of one scale a model solves.

    Attributes:
        n: the scale, one integer >= 1 per scale hint of the task.
        examples, correct: how many were tried and how many were right as a whole, `<eos>` included.
        exact_match: correct / examples.
        ci_low, ci_high: 95% Wilson interval of `exact_match`.
        token_accuracy: share of answer tokens (with `<eos>`) that were right: in mode "teacher" given the right
            tokens before, in mode "generate" of whole answers as written (`metrics.token_accuracy`); None where
            decoding ended at the first error.
        mode: "generate" (greedy decoding) or "teacher" (one forward pass; the same exact match, see
            `metrics.teacher_forced`).
        seconds: wall time, drawing the examples included. In mode "generate" it falls when answers go wrong
            early, because decoding of an example ends at its first wrong token.
        first_errors: of the wrong examples, how many have their first wrong token in each tenth of the answer; None
            where not recorded.
        final_accuracy: share of right final answers, whatever the chain of thought before (`answers.final_match`);
            None unless whole answers were decoded.
        step_accuracy: share of right steps of the chains of thought (`answers.step_matches`), over all examples; None
            unless whole answers were decoded, and for tasks without steps.
    """

    n: list[int]
    examples: int
    correct: int
    exact_match: float
    ci_low: float
    ci_high: float
    token_accuracy: float | None
    mode: str
    seconds: float
    first_errors: list[int] | None = None
    final_accuracy: float | None = None
    step_accuracy: float | None = None

    def __post_init__(self) -> None:
        if not self.n or any(hint < 1 for hint in self.n):
            raise ValueError(f"n holds integers >= 1, one per scale hint, got {self.n}.")
        if self.mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}, got {self.mode!r}.")
        if self.examples < 1 or not 0 <= self.correct <= self.examples:
            raise ValueError(f"0 <= correct <= examples must hold, got {self.correct} of {self.examples}.")
        if abs(self.exact_match - self.correct / self.examples) > 1e-9:
            raise ValueError(f"exact_match {self.exact_match} is not {self.correct} of {self.examples}.")
        if not 0 <= self.ci_low <= self.exact_match <= self.ci_high <= 1:
            raise ValueError(
                f"the interval [{self.ci_low}, {self.ci_high}] must lie in [0, 1] "
                f"around exact_match {self.exact_match}."
            )
        for key in ("token_accuracy", "final_accuracy", "step_accuracy"):
            if getattr(self, key) is not None and not 0 <= getattr(self, key) <= 1:
                raise ValueError(f"{key} is a share from 0 to 1, got {getattr(self, key)}.")
        errors = self.first_errors
        if errors is not None and (min(errors, default=0) < 0 or sum(errors) != self.examples - self.correct):
            raise ValueError(f"first_errors counts {self.examples - self.correct} wrong examples, got {errors}.")
        if self.seconds < 0:
            raise ValueError(f"seconds is not negative, got {self.seconds}.")

    @classmethod
    def of(
        cls,
        n: list[int],
        examples: int,
        correct: int,
        mode: str,
        seconds: float,
        token_accuracy: float | None = None,
        **details: Any,
    ) -> Self:
        """Make one from counts; the share and its Wilson interval are worked out."""
        low, high = wilson(correct, examples)
        return cls(list(n), examples, correct, correct / examples, low, high, token_accuracy, mode, seconds, **details)


def length_columns(results: Sequence[LengthResult], details: bool = False) -> str:
    """Lengths, exact match with interval, and counts, as aligned columns; with `details` also what is right in part."""
    shares = ("token_accuracy", "final_accuracy", "step_accuracy") if details else ()
    names = [name.replace("_", " ") for name in shares]
    rows = [["n", "exact match", "95% interval", *names, "right", "mode", "seconds"]]
    for r in results:
        interval = f"{r.ci_low:.1%} - {r.ci_high:.1%}"
        partly = ["-" if getattr(r, name) is None else f"{getattr(r, name):.1%}" for name in shares]
        count = f"{r.correct}/{r.examples}"
        rows.append([scale_text(r.n), f"{r.exact_match:.1%}", interval, *partly, count, r.mode, f"{r.seconds:.1f}"])
    return columns(rows)
