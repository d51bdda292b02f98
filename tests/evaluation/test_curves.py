import pytest

from hf_lengthgen.evaluation.curves import by_reach, make_curves
from hf_lengthgen.evaluation.statistics import t_interval

from .results import make_result, score


def curve_of(*results):
    (curve,) = make_curves(results)
    return curve


def test_a_curve_averages_over_seeds():
    curve = curve_of(*(make_result(scores=[(10, 100 - seed), (20, 10 * seed)], seed=seed) for seed in (2, 0, 1)))
    assert [result.seed for result in curve.results] == [0, 1, 2]
    ten, twenty = curve.points
    assert (ten.n, sorted(ten.values), ten.stopped, ten.missing) == ((10,), [0.98, 0.99, 1.0], 0, 0)
    assert twenty.exact_match == pytest.approx(0.1)
    mean, low, _ = t_interval([0.0, 0.1, 0.2])
    assert twenty.half_width == pytest.approx(mean - low)
    assert curve.reach() == 10 and curve.reach(0.995) == 0


def test_a_stopped_run_counts_as_zero_and_is_not_forgotten():
    """Averaging over the survivors would claim 80% at 50, where two of four runs were given up as failed."""
    curve = curve_of(
        make_result(scores=[(10, 100), (20, 90), (50, 80)], seed=0),
        make_result(scores=[(10, 100), (20, 90), (50, 80)], seed=1),
        make_result(scores=[(10, 100), (20, 0)], seed=2),
        make_result(scores=[(10, 0)], seed=3),
    )
    at = {point.n[0]: point for point in curve.points}
    assert at[10].exact_match == pytest.approx(0.75)
    assert at[20].exact_match == pytest.approx(0.45) and at[20].stopped == 1
    assert at[50].exact_match == pytest.approx(0.40) and (at[50].stopped, at[50].missing) == (2, 0)


def test_a_run_that_was_merely_not_tested_is_missing():
    curve = curve_of(
        make_result(scores=[(10, 100), (20, 100), (50, 100)], seed=0),
        make_result(scores=[(10, 100), (50, 100)], seed=1),
        make_result(scores=[(10, 0), (15, 3), (50, 100)], seed=2),  # 0 at 10 did not stop it
    )
    at = {point.n[0]: point for point in curve.points}
    assert (at[20].values, at[20].stopped, at[20].missing) == ((1.0,), 0, 2)
    assert curve.reach(0.5) == 10  # what is known of some runs only does not count as solved


def test_two_hints_stop_each_other_only_where_both_are_larger():
    curve = curve_of(
        make_result(scores=[score([10, 50], 0), score([50, 10], 40)], seed=0),
        make_result(scores=[score([50, 10], 50), score([50, 50], 30), score([60, 10], 20)], seed=1),
    )
    at = {point.n: point for point in curve.points}
    assert (at[50, 50].stopped, at[50, 50].missing) == (1, 0)
    assert (at[60, 10].stopped, at[60, 10].missing) == (0, 1)


def test_generation_is_preferred_and_teacher_forcing_named():
    (curve,) = make_curves(
        [make_result(scores=[score(10, 9, 16, "teacher"), score(10, 50), score(20, 8, 16, "teacher")])]
    )
    assert curve.points[0].exact_match == 0.5 and curve.points[0].modes == {"generate"}
    assert curve.points[1].modes == {"teacher"} and curve.points[1].half_width is None


def test_curves_come_by_reach_then_by_area():
    names = {
        "lbpe": [(10, 100), (20, 100)],
        "rope": [(10, 100), (20, 5)],
        "none": [(10, 100), (20, 50)],
        "t5": [(10, 9), (20, 0)],
    }
    curves = make_curves(make_result(name, scores) for name, scores in names.items())
    assert [curve.first.position_embedding for curve in curves] == ["lbpe", "none", "rope", "t5"]


def test_curves_can_be_ordered_by_another_threshold():
    names = {"rope": [(10, 100), (20, 0)], "none": [(10, 98), (20, 96)]}
    curves = make_curves(make_result(name, scores) for name, scores in names.items())
    assert [curve.first.position_embedding for curve in curves] == ["rope", "none"]
    assert [curve.first.position_embedding for curve in by_reach(curves, 0.95)] == ["none", "rope"]


def test_labels_tell_hint_and_only_the_options_that_differ():
    results = [
        make_result("rope", scale_hint="none"),
        make_result("rope", scale_hint="prompt", position_options={"base": 10}),
        make_result("lbpe", scale_hint="input", position_options={"window": 2, "forms": "a"}),
        make_result("lbpe", scale_hint="input", position_options={"window": 3, "forms": "a"}),
        make_result("third_party"),
    ]
    labels = {curve.label for curve in make_curves(results)}
    assert labels == {
        "RoPE",
        "RoPE + hint",
        "LBPE (window 2) + given hint",
        "LBPE (window 3) + given hint",
        "third_party",
    }


def test_labels_are_cut_only_where_they_still_differ():
    def labels(*relations):
        runs = [make_result("ipe", position_options={"relations": list(own)}) for own in relations]
        return {curve.label for curve in make_curves(runs)}

    long = "i - j = n", "i - j = 2n + 1"
    assert all("..." in label for label in labels(long, ("i - j = 0",) + long))
    told = labels((*long, "i - j = 0"), (*long, "i - j = 1"))
    assert len(told) == 2 and not any("..." in label for label in told)


@pytest.mark.parametrize(
    "results, message",
    [
        ([], "nothing to compare"),
        ([make_result(seed=3), make_result(seed=3)], "seed 3 of addition with LBPE is given 2 times"),
        ([make_result(seed=1), make_result(seed=2, steps=3000)], "differ in steps \\(1500 and 3000\\)"),
        ([make_result(seed=1), make_result(seed=2, n_max=20)], "differ in n_max"),
        (
            [make_result(seed=1, scores=[([5, 5], 9), ([9, 9], 0)]), make_result(seed=2)],
            r"addition with LBPE differ in the number of scale hints \(1 and 2\)",
        ),
    ],
)
def test_what_cannot_be_averaged_is_refused(results, message):
    with pytest.raises(ValueError, match=message):
        make_curves(results)


def test_a_length_counts_once_for_the_reach_of_a_run():
    """Generation is preferred there as everywhere: a score of fewer teacher-forced examples has no say."""
    curve = curve_of(make_result(scores=[score(4, 100), score(8, 99), score(8, 15, 16, "teacher"), score(16, 100)]))
    assert curve.reaches(0.95) == [16] and curve.reach(0.95) == 16


def test_runs_that_early_stopping_cut_off_within_a_curriculum_are_runs_of_one_variant():
    """They differ in what they have met, not in what was set."""
    settings = {"n_min": 1, "n_max": 4, "curriculum": {"0": 2, "10": 4}}
    early = make_result(seed=0, n_max=2, settings=settings)
    late = make_result(seed=1, n_max=4, settings=settings)
    curve = curve_of(early, late)
    assert (curve.n_min, curve.n_max) == (1, 4)
    with pytest.raises(ValueError, match=r"differ in n_max \(4 and 8\)"):
        make_curves([early, make_result(seed=1, n_max=4, settings=settings | {"n_max": 8})])


def test_an_option_that_is_none_is_not_one_that_is_absent():
    labels = [curve.label for curve in make_curves([make_result(position_options={"a": None}), make_result()])]
    assert sorted(labels) == ["LBPE", "LBPE (a None)"]
