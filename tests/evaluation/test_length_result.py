import dataclasses

import pytest

from hf_lengthgen.evaluation.length_result import LengthResult
from hf_lengthgen.evaluation.statistics import wilson


def test_details_are_optional():
    result = LengthResult.of([3], 10, 8, "generate", 1.5, 0.9, first_errors=[2, 0], final_accuracy=0.9)
    assert (result.first_errors, result.final_accuracy, result.step_accuracy) == ([2, 0], 0.9, None)
    assert LengthResult.of([3], 10, 8, "generate", 1.5).first_errors is None


def test_counts_give_share_and_interval():
    result = LengthResult.of([30, 100], 80, 60, "teacher", 1.5, 0.9)
    assert (result.n, result.exact_match, result.token_accuracy) == ([30, 100], 0.75, 0.9)
    assert (result.ci_low, result.ci_high) == wilson(60, 80)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"n": []}, "one per scale hint"),
        ({"n": [0]}, ">= 1"),
        ({"mode": "sample"}, "generate, teacher"),
        ({"correct": 81}, "81 of 80"),
        ({"examples": 0, "correct": 0}, "0 of 0"),
        ({"exact_match": 0.7}, "is not 60 of 80"),
        ({"ci_low": 0.8}, "around exact_match"),
        ({"ci_high": 1.2}, "in \\[0, 1\\]"),
        ({"token_accuracy": 1.1}, "from 0 to 1"),
        ({"final_accuracy": 1.1}, "final_accuracy is a share from 0 to 1"),
        ({"step_accuracy": -0.1}, "step_accuracy is a share from 0 to 1"),
        ({"first_errors": [10, 11]}, "counts 20 wrong examples, got"),
        ({"first_errors": [21, -1]}, "counts 20 wrong examples, got"),
        ({"seconds": -1}, "not negative"),
    ],
)
def test_contradictions_are_refused(change, message):
    result = LengthResult.of([30], 80, 60, "generate", 1.5)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(result, **change)
