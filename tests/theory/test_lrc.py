import math

import numpy as np
import pytest

from hf_lengthgen.model.relation import LinearRelation
from hf_lengthgen.tasks import get_task
from hf_lengthgen.theory.lrc import lrc_curve, lrc_curves, plot_lrc, standard_prfs, task_levels
from hf_lengthgen.theory.pola import Level, Pola
from hf_lengthgen.theory.prf import alibi, ape, holds, ipe, nope, rpe

INFINITE = math.inf


def levels(count, queries):
    """Scales 1..count with these queries."""
    return [Level(n, 2 * n + 2, tuple(queries(n))) for n in range(1, count + 1)]


def copying(count):
    return levels(count, lambda n: range(n + 1, 2 * n + 2))


def test_by_hand():
    """Copy reads i - j = n."""
    target = ["i - j = n"]
    assert lrc_curve(rpe(), target, copying(4)) == [1, INFINITE, INFINITE, INFINITE]
    assert lrc_curve(rpe(1), target, copying(4)) == [1] * 4
    assert lrc_curve([rpe(), rpe(1)], target, copying(4)) == [1] * 4
    assert lrc_curve(nope(), target, copying(2)) == [INFINITE] * 2
    assert lrc_curve(ipe(target), target, copying(3)) == [1] * 3


def test_classes_are_counted():
    """One query per scale, the last token, that reads the token before: i = n, j = n - 1."""

    def last(n):
        return [n]

    assert lrc_curve(rpe(), ["i - j = 1"], levels(5, last)) == [1] * 5
    # Absolute: class n - 1 carries it at scale n, and is read no more at larger scales.
    assert lrc_curve(ape(), ["i - j = 1"], levels(3, last)) == [1, INFINITE, INFINITE]
    # Only the first token is read: one class in APE, a new one at each scale in RPE, until none is constant.
    assert lrc_curve(ape(), ["j = 0"], levels(5, last)) == [1] * 5
    assert lrc_curve(rpe(), ["j = 0"], levels(3, last)) == [1, INFINITE, INFINITE]
    # Where every key is read, the number of classes grows and nothing conflicts.
    assert lrc_curve(rpe(), ["i - j = 0"], levels(3, lambda n: [0])) == [1, 1, 1]


def test_heads_share_the_relations():
    six = task_levels(get_task("addition"), 6)
    relations = get_task("addition").ideal_relations
    assert lrc_curve([rpe(c) for c in range(3)], relations, six) == [5] * 6
    assert lrc_curve([rpe(c) for c in range(2)], relations, six)[-1] == INFINITE  # 2n + 1 needs c = 2


def test_fixed_weights_are_one_feature():
    assert lrc_curve(alibi(), ["i - j = n"], copying(3))[-1] == INFINITE
    assert lrc_curve(alibi(), ["i - j = 0"], levels(3, lambda n: [0])) == [1, 1, 1]  # one pair: always proportional


def test_all_embeddings_with_and_without_the_hint(tmp_path):
    task = get_task("copy")
    curves = lrc_curves(task, task.ideal_relations, 8)
    assert list(curves) == list(standard_prfs(task.ideal_relations))
    bounded = {name for name, curve in curves.items() if curve[-1] == 1}
    assert bounded == {"RPE + hint", "T5 buckets + hint", "IPE + hint", "LBPE + hint"}
    path = plot_lrc(curves, tmp_path / "deep" / "lrc.svg", "LRC of copy")
    first = path.read_bytes()
    assert first.startswith(b"<?xml") and plot_lrc(curves, path, "LRC of copy").read_bytes() == first
    with pytest.raises(ValueError, match=r"written as \.svg or \.png"):
        plot_lrc(curves, tmp_path / "lrc.pdf")


def test_mirror_needs_a_relation_of_its_own():
    task = get_task("reverse")
    bounded = {name for name, curve in lrc_curves(task, task.ideal_relations, 8).items() if curve[-1] < INFINITE}
    assert bounded == {"IPE + hint", "LBPE + hint"}


@pytest.mark.parametrize("options", [{"index_hints": "fixed"}, {"padding": "fixed", "width": 6}])
def test_relations_are_about_the_hint_not_the_scale(options):
    task = get_task("addition", **options)
    curves = lrc_curves(task, task.ideal_relations, 6)
    assert curves["IPE + hint"] == curves["LBPE + hint"] == [len(task.ideal_relations)] * 6


def test_scales_end_where_the_task_does():
    assert [level.n for level in task_levels(get_task("unique_copy", symbols="abcd"), 9)] == [1, 2, 3, 4]
    assert task_levels(get_task("addition", padding="fixed", width=5), 9) == [Level(5, 19, tuple(range(12, 19)))] * 5


@pytest.mark.parametrize("seed", range(12))
def test_gradient_descent_generalizes_where_lrc_is_finite_and_stays(seed):
    """The second corollary of docs/theory.md, for single relations: LRC(N) = LRC(N0) < ∞."""
    rng = np.random.default_rng(seed)
    n0, longest = 3, 6
    for _ in range(6):
        a, b = ((1, -1), (0, 1), (1, 1))[rng.integers(3)]
        relation = LinearRelation(a, b, (int(rng.integers(-2, 1)),), int(rng.integers(-1, 4)))
        prf = (ape(), rpe(), rpe(1), ipe(["i - j = n", "j = 2"]), nope())[rng.integers(5)]
        start = int(rng.integers(0, 3))  # rows from here on are supervised

        scales = levels(longest, lambda n, start=start: range(min(start, n), 2 * n))
        curve = lrc_curve(prf, [relation], scales)
        problem = Pola(prf, scales, lambda i, j, n, r=relation: float(holds(r, i, j, n)))
        for n in range(n0, longest + 1):
            expected = curve[n - 1] == curve[n0 - 1] < INFINITE
            assert problem.generalizes(n0, n)[0] == expected, (str(relation), prf.name, n, curve)


def test_bad_input():
    with pytest.raises(ValueError, match="at least one relation"):
        lrc_curve(rpe(), [], copying(3))
    with pytest.raises(ValueError, match="and one scale"):
        lrc_curve(rpe(), ["i - j = n"], [])
    with pytest.raises(ValueError, match="task of one scale"):
        task_levels(get_task("addition", widths="unequal"), 3)
