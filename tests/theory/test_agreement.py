from evaluation.results import make_result

from hf_lengthgen.theory.agreement import agreement
from hf_lengthgen.theory.predict import UNBOUNDED, Prediction


def guess(largest, embedding="lbpe", hint="prompt", task="addition", task_options=None, options=None, chained=None):
    chained = largest if chained is None else chained
    cell = task, task_options or {}, embedding, options or {}, hint, 12
    return Prediction(*cell, largest, "because", chained=chained)


def measured(embedding, hint, *scores, seed=0, **changes):
    return make_result(embedding, scores, seed, scale_hint=hint, **changes)


FAR, SHORT = ((12, 100), (1000, 98)), ((12, 100), (1000, 40))


def test_the_confusion_matrix():
    predictions = [
        guess(UNBOUNDED),
        guess(12, "rope", "none"),
        guess(UNBOUNDED, "rope"),
        guess(12, "t5"),
        guess(None, "cope", "none"),
        guess(12, "fire"),
    ]
    results = [
        measured("lbpe", "prompt", *FAR),
        measured("rope", "none", *SHORT),
        measured("rope", "prompt", *SHORT),
        measured("t5", "prompt", *FAR),
        measured("cope", "none", *SHORT),
    ]
    found = agreement(predictions, results)
    outcome = {name: next(key for key, count in row.items() if count) for name, row in found.table.items()}
    assert outcome == {
        "LBPE + hint": "both",
        "RoPE": "neither",
        "RoPE + hint": "predicted only",
        "T5 bias + hint": "measured only",
        "CoPE": "no prediction",
    }
    assert found.share == 0.5 and found.unmeasured == ["addition {}, FIRE + hint"]
    assert found.exceptions == [
        ("addition", "RoPE + hint", "no bound", 12),
        ("addition", "T5 bias + hint", "12", 1000),
    ]
    text = found.markdown()
    assert "| all | 1 | 1 | 1 | 1 | 1 |" in text and "agreement 50.0% (always naming the commoner side: 50.0%)" in text
    assert "Of 2 cells predicted to reach it 1 do, of 2 predicted not to 1 do not" in text
    assert "* addition, RoPE + hint: predicted no bound, measured 12" in text


def test_the_lower_median_of_the_runs_counts_and_given_hints_are_hints():
    """As in the tables of a comparison: three runs of five solve 1,000, though the mean there is 76%."""

    def runs(*shares):
        return [measured("lbpe", "input", (12, 100), (1000, share), seed=k) for k, share in enumerate(shares)]

    assert agreement([guess(UNBOUNDED)], runs(40, 100, 100, 40, 100)).share == 1
    found = agreement([guess(UNBOUNDED)], runs(100, 40))  # of two runs the lower one
    assert found.share == 0 and found.exceptions == [("addition", "LBPE + hint", "no bound", 12)]
    assert agreement([guess(UNBOUNDED)], runs(100, 89), threshold=0.9).share == 0
    assert agreement([guess(UNBOUNDED)], runs(100, 90), threshold=0.9).share == 1


def test_right_as_far_as_it_was_tested_is_no_measurement():
    found = agreement([guess(UNBOUNDED)], [measured("lbpe", "prompt", (12, 100), (200, 100))])
    assert found.share is None and len(found.unmeasured) == 1 and "no cell decides" in found.markdown()
    assert agreement([guess(UNBOUNDED)], []).unmeasured
    # Two runs of three decide, whatever the third would do beyond 200; one of two does not.
    short, far, fails = (((12, 100), (200, 100)), FAR, SHORT)

    def runs(*scores):
        results = [measured("lbpe", "prompt", *given, seed=k) for k, given in enumerate(scores)]
        return agreement([guess(UNBOUNDED)], results).share

    assert runs(short, far, far) == 1 and runs(short, fails, fails) == 0
    assert runs(short, far) is None and runs(short, far, fails) is None and runs(short, fails) == 0


def test_cells_are_told_apart_by_options():
    results = [
        measured("lbpe", "prompt", *FAR, position_options={"window": 3}),
        measured("lbpe", "prompt", *SHORT, position_options={"window": 1}, name="other"),
    ]
    predictions = [guess(UNBOUNDED, options={"window": 3}), guess(12, options={"window": 1})]
    both = agreement(predictions, results)
    assert both.share == 1 and list(both.table) == ["LBPE + hint"], "cells differ, the matrix is per embedding"
    assert both.table["LBPE + hint"]["both"] == both.table["LBPE + hint"]["neither"] == 1
    # Options filled in per task: one result, one prediction.
    ideal = [measured("ipe", "prompt", *FAR, position_options={"relations": ["i - j = n"]})]
    assert agreement([guess(UNBOUNDED, "ipe")], ideal).share == 1
    other = agreement([guess(UNBOUNDED, task_options={"order": "plain"})], [measured("lbpe", "prompt", *FAR)])
    assert other.share is None and other.unmeasured


def test_a_run_trained_on_longer_rows_measures_nothing():
    found = agreement([guess(12, "rope", "none")], [measured("rope", "none", (1000, 100), n_max=1000)])
    assert found.table == {} and found.unmeasured == ["addition {}, RoPE"]


def test_the_second_prediction_is_judged_too():
    predictions, results = [guess(12, chained=UNBOUNDED)], [measured("lbpe", "prompt", *FAR)]
    assert agreement(predictions, results).share == 0 and agreement(predictions, results, chained=True).share == 1


def test_the_share_stands_beside_that_of_the_commoner_side():
    predictions = [guess(UNBOUNDED), guess(12, "rope"), guess(12, "t5"), guess(UNBOUNDED, "fire")]
    results = [measured("lbpe", "prompt", *FAR), *(measured(e, "prompt", *SHORT) for e in ("rope", "t5", "fire"))]
    assert "agreement 75.0% (always naming the commoner side: 75.0%)" in agreement(predictions, results).markdown()
    assert "(always naming the commoner side: 100.0%)" in agreement(predictions[1:], results[1:]).markdown()
