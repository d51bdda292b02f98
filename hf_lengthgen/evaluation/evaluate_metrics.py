"""The metrics as `evaluate.Metric`s, for those who evaluate with that library.

    from hf_lengthgen.evaluation.evaluate_metrics import ExactMatchByLength, TokenAccuracy
    both = evaluate.combine([ExactMatchByLength(), TokenAccuracy()])
    both.add_batch(predictions=["0579"], references=["0579"], lengths=[3])
    both.compute()

`combine` hands every input to all of them: those that need no `lengths` ignore them. They work offline: they are made
by calling the class, not by `evaluate.load`. Importing this module imports `evaluate`, which takes seconds. Answers are
strings without `<eos>`; one that did not end is None, and wrong.
"""

from collections import defaultdict
from typing import Any

import datasets
import evaluate

from .answers import final_accuracy, step_accuracy
from .length_result import LengthResult
from .statistics import THRESHOLDS, effective_lengths

_CITATION = ""  # our own
_ANSWERS = """
    predictions: list of strings, what the model wrote; None where it did not end.
    references: list of strings, the right answers."""


class _AnswerMetric(evaluate.Metric):
    """A metric of written and right answers."""

    text = ""
    more: dict[str, str] = {}  # further inputs: name -> type
    about_more = ""

    def _info(self) -> evaluate.MetricInfo:
        features = {"predictions": "string", "references": "string"} | self.more
        return evaluate.MetricInfo(
            description=self.text,
            citation=_CITATION,
            inputs_description=f"Args:{_ANSWERS}{self.about_more}",
            features=datasets.Features({name: datasets.Value(kind) for name, kind in features.items()}),
        )

    def _enforce_nested_string_type(self, schema: Any, obj: Any) -> None:
        """evaluate looks at the first answer of a batch and refuses None there."""
        if obj is not None:
            super()._enforce_nested_string_type(schema, obj)


def _check_any(predictions: list) -> None:
    if not predictions:
        raise ValueError("there are no answers to score.")


class ExactMatchByLength(_AnswerMetric):
    """Exact match overall and by length, and what it comes to: effective lengths at 99, 95, 90 and 50%.

    `lengths`, a third input: the scale of each example, one whole number.
    """

    text = "Exact match of whole answers, overall and by length."
    more = {"lengths": "int64"}
    about_more = "\n    lengths: list of whole numbers, the scale of each example."

    def _compute(self, predictions: list, references: list, lengths: list) -> dict[str, Any]:
        _check_any(predictions)
        counts: dict[int, list[bool]] = defaultdict(list)
        for written, wanted, n in zip(predictions, references, lengths, strict=True):
            counts[n].append(written is not None and written == wanted)
        results = [LengthResult.of([n], len(v), sum(v), "generate", 0.0) for n, v in sorted(counts.items())]
        right = sum(result.correct for result in results)
        reach = effective_lengths(results, THRESHOLDS)
        return {
            "exact_match": right / len(predictions),
            "exact_match_by_length": {result.n[0]: result.exact_match for result in results},
            "interval_by_length": {result.n[0]: [result.ci_low, result.ci_high] for result in results},
            "effective_length": {f"{threshold:g}": length for threshold, length in reach.items()},
        }


class TokenAccuracy(_AnswerMetric):
    """Share of the right answers' characters, ends included, that were written at their place."""

    text = "Share of right characters, each at its place, the answer's end counting as one."

    def _compute(self, predictions: list, references: list, lengths: list | None = None) -> dict[str, float]:
        _check_any(predictions)
        right = total = 0
        for written, wanted in zip(predictions, references, strict=True):
            total += len(wanted) + 1
            if written is not None:
                right += sum(a == b for a, b in zip(written, wanted, strict=False)) + (len(written) == len(wanted))
        return {"token_accuracy": right / total}


class FinalAnswerAccuracy(_AnswerMetric):
    """Share of right final answers, and of right steps of the chain of thought, where `task` has one.

    Args:
        task: which says what the final answer and the steps are.
    """

    text = "Share of right final answers and of right steps of the chain of thought."

    def __init__(self, task: Any, **options: Any) -> None:
        self.task = task
        super().__init__(**options)

    def _compute(self, predictions: list, references: list, lengths: list | None = None) -> dict[str, float]:
        _check_any(predictions)
        scores = {"final_accuracy": final_accuracy(self.task, predictions, references)}
        steps = step_accuracy(self.task, predictions, references)
        return scores if steps is None else scores | {"step_accuracy": steps}
