import math

import pytest
from evaluation.results import score

from hf_lengthgen.compare.outcomes import gather
from hf_lengthgen.evaluation.curves import make_curves

from .grids import data, file_result, grid, layout


@pytest.fixture
def small(tmp_path):
    """copy/rope: one seed solves 8, one nothing; copy/hinted: one seed of two; reverse: nothing at all."""
    made, where = grid(), layout(tmp_path)
    by = {str(cell): cell for cell in made.cells}
    file_result(by["copy/rope seed 0"], where, 8, 8)
    file_result(by["copy/rope seed 1"], where, 0)
    file_result(by["copy/hinted seed 1"], where, 8, 4)
    return made, where


def test_a_stopped_seed_counts_and_a_missing_one_is_counted(small):
    outcomes = gather(*small)
    rope, hinted = outcomes.pairs["copy", "rope"], outcomes.pairs["copy", "hinted"]
    assert rope.at((8,)).values == (1.0, 0.0) and rope.at((8,)).stopped == 1
    assert rope.reaches(0.95) == [8, 0] and rope.reach(0.95) == 0  # the lower of two is their lower median
    assert (rope.missing, hinted.missing, hinted.at((8,)).values) == (0, 1, (0.5,))
    assert hinted.reach(0.95) == 4 and hinted.reach(0.5) == 8
    empty = outcomes.pairs["reverse", "rope"]
    assert empty.curve is None and empty.reach(0.95) is None and empty.at((8,)) is None
    assert [str(cell) for cell in outcomes.missing][:2] == ["copy/hinted seed 0", "reverse/rope seed 0"]
    assert len(outcomes.missing) == 5 and len(outcomes.results) == 3


def test_labels_come_from_the_settings_or_the_file(small, tmp_path):
    outcomes = gather(*small)
    assert [pair.label for pair in outcomes.of_task("copy")] == ["RoPE", "LBPE + hint"]
    named = data()
    named["variants"][1]["label"] = "ours"
    pair = gather(grid(variants=named["variants"]), small[1]).pairs["copy", "hinted"]
    assert pair.label == pair.curve.label == "ours"


def test_curves_are_sorted_by_reach(small):
    assert [curve.label for curve in gather(*small).curves("copy", 0.95)] == ["LBPE + hint", "RoPE"]
    assert gather(*small).curves("reverse", 0.95) == []


def test_curves_of_one_reach_are_ordered_as_in_every_other_report(tmp_path):
    base = {"eval_lengths": [4, 8, 64], "stop_at_zero": False}  # the mean and the area over log n do not agree
    made, where = grid(seeds=[0], base=data()["base"] | base), layout(tmp_path)
    by = {str(cell): cell for cell in made.cells}
    file_result(by["copy/rope seed 0"], where, 8, 2, 6)
    file_result(by["copy/hinted seed 0"], where, 8, 6, 1)
    outcomes = gather(made, where)
    ours = [curve.first.position_embedding for curve in outcomes.curves("copy", 0.99)]
    assert ours == [curve.first.position_embedding for curve in make_curves(outcomes.results)] == ["lbpe", "rope"]


def test_results_of_other_settings_are_left_out_and_named(small):
    outcomes = gather(grid(tasks=[{"name": "copy", "steps": 21}]), small[1])
    assert outcomes.results == [] and len(outcomes.stale) == 3


def test_there_is_no_area_where_two_scales_have_one_size(tmp_path):
    """Nothing says what lies between 12x24 and 24x12."""
    sums = [{"name": "addition", "task_options": {"widths": "unequal"}, "eval_lengths": ["12x24", "24x12"]}]
    made, where = grid(tasks=sums, seeds=[0]), layout(tmp_path)
    file_result(made.cells[0], where, 8, 8)
    outcomes = gather(made, where)
    pair = outcomes.pairs["addition", "rope"]
    assert pair.areas(outcomes.scales("addition")) == [] and pair.reach(0.95) == 24


def test_scales_are_those_of_the_task(tmp_path):
    made = grid(tasks=[{"name": "addition", "task_options": {"widths": "unequal"}, "long_lengths": ["3x9"]}])
    assert gather(made, layout(tmp_path)).scales("addition") == [(4, 4), (8, 8), (3, 9)]


def test_a_run_stopped_off_the_diagonal_has_an_area(tmp_path):
    """It counts as 0 at what lies beyond, as it does in the other columns."""
    lengths = {"eval_lengths": ["4x4", "4x8", "8x8"]}
    made, where = grid(base=data()["base"] | lengths, tasks=[{"name": "tape"}]), layout(tmp_path)
    by = {str(cell): cell for cell in made.cells}
    for seed, counts in ((0, (8, 0)), (1, (8, 8, 8))):
        scores = [score(n, count, 8) for n, count in zip(([4, 4], [4, 8], [8, 8]), counts, strict=False)]
        file_result(by[f"tape/rope seed {seed}"], where, lengths=scores)
    outcomes = gather(made, where)
    assert outcomes.pairs["tape", "rope"].areas(outcomes.scales("tape")) == [0.5, 1.0]


def test_the_training_lengths_are_those_that_were_met(tmp_path):
    """With priming, say: the factor and the area begin where training ended."""
    made, where = grid(base=data()["base"] | {"eval_lengths": [4, 8, 100]}, seeds=[0]), layout(tmp_path)
    by = {str(cell): cell for cell in made.cells}
    assert gather(made, where).pairs["copy", "rope"].n_range == (1, 4)
    file_result(by["copy/rope seed 0"], where, 8, 8, 4, n_max=50)
    outcomes = gather(made, where)
    pair = outcomes.pairs["copy", "rope"]
    assert pair.n_range == (1, 50)
    at_50 = 1 - 0.5 * math.log(50 / 8) / math.log(100 / 8)
    assert pair.areas(outcomes.scales("copy")) == [pytest.approx((at_50 + 0.5) / 2)]
