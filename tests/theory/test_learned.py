import pytest
from evaluation.results import make_result

from hf_lengthgen.theory.learned import compare_learned, comparison_table, precision_recall

RELATIONS = [[[["i - j = n", 2.0], ["j = 1", 1.0]], [["i - j = n", 1.0]]], [[["other", 0.5]], []]]


def test_precision_and_recall_by_hand():
    # Learned: i - j = n (twice), j = 1, other.
    assert precision_recall(RELATIONS, ["i - j = n"]) == (1 / 3, 1.0, 2 / 4)
    assert precision_recall(RELATIONS, ["i - j - n = 0", "i - j = 0"]) == (1 / 3, 1 / 2, 2 / 4)
    assert precision_recall([[[]]], ["i - j = n"]) == (1.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="no wanted relations"):
        precision_recall(RELATIONS, [])


def test_results_are_compared_with_the_ideal_and_the_discovered_relations():
    copy = {"task": "copy", "task_options": {}, "scale_hint": "prompt"}
    results = [
        make_result("lbpe", relations=RELATIONS, seed=4, **copy),
        make_result("rope", **copy),  # learned none: left out
    ]
    rows = compare_learned(results)
    assert [(r.against, r.seed, r.precision, r.recall) for r in rows] == [
        ("ideal", 4, 1 / 3, 1.0),
        ("discovered", 4, 1 / 3, 1.0),
    ]
    assert rows[0].wanted == ("i - j = n",) and rows[0].learned == ("i - j = n", "j = 1", "other")
    table = comparison_table(rows)
    assert "| ideal | 0.33 | 1.00 | 0.50 | 3 | 1 |" in table
    # Without the hint nothing is discovered for copy: only the ideal ones remain.
    bare = compare_learned([make_result("lbpe", relations=RELATIONS, **(copy | {"scale_hint": "none"}))])
    assert [r.against for r in bare] == ["ideal"]


def test_the_nearest_of_equal_sets_counts():
    relations = [[[["i - j = 0", 1.0], ["i - j = 1", 1.0], ["i - j = n", 1.0]]]]
    rows = compare_learned(
        [make_result("lbpe", relations=relations, task="parity", task_options={}, scale_hint="prompt")]
    )
    assert {r.against: (r.precision, r.recall) for r in rows} == {"ideal": (1, 1), "discovered": (1, 1)}


def test_each_training_length_has_a_discovery_of_its_own():
    found = {}
    copy = {"task": "copy", "task_options": {}, "scale_hint": "prompt", "relations": RELATIONS}
    compare_learned([make_result("lbpe", n_max=n_max, **copy) for n_max in (4, 6, 4)], found)
    assert sorted(each.n_max for each in found.values()) == [4, 6]


def test_nothing_learned_at_all():
    with pytest.raises(ValueError, match="no result has learned relations"):
        compare_learned([make_result("rope")])
