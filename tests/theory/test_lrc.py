import math

import numpy as np
import pytest

from hf_lengthgen.model.relation import LinearRelation
from hf_lengthgen.tasks import get_task
from hf_lengthgen.theory.lrc import lrc_curve, lrc_curves, plot_lrc, standard_prfs, task_queries
from hf_lengthgen.theory.pola import Level, Pola
from hf_lengthgen.theory.prf import alibi, ape, holds, ipe, nope, rpe

INFINITE = math.inf


def copy_queries(n):
    return range(n + 1, 2 * n + 2)


def test_by_hand():
    """Copy reads i - j = n."""
    target = ["i - j = n"]
    assert lrc_curve(rpe(), target, 4, copy_queries) == [1, INFINITE, INFINITE, INFINITE]
    assert lrc_curve(rpe(1), target, 4, copy_queries) == [1] * 4
    assert lrc_curve([rpe(), rpe(1)], target, 4, copy_queries) == [1] * 4
    assert lrc_curve(nope(), target, 2, copy_queries) == [INFINITE] * 2
    assert lrc_curve(ipe(target), target, 3, copy_queries) == [1] * 3


def test_classes_are_counted():
    """One query per scale, the last token, that reads the token before: i = n, j = n - 1."""

    def last(n):
        return [n]

    assert lrc_curve(rpe(), ["i - j = 1"], 5, last) == [1] * 5
    # Absolute: class n - 1 carries it at scale n, and is read no more at larger scales.
    assert lrc_curve(ape(), ["i - j = 1"], 3, last) == [1, INFINITE, INFINITE]
    # Only the first token is read: one class in APE, a new one at each scale in RPE, until none is constant.
    assert lrc_curve(ape(), ["j = 0"], 5, last) == [1] * 5
    assert lrc_curve(rpe(), ["j = 0"], 3, last) == [1, INFINITE, INFINITE]
    # Where every key is read, the number of classes grows and nothing conflicts.
    assert lrc_curve(rpe(), ["i - j = 0"], 3, lambda n: [0]) == [1, 1, 1]


def test_heads_share_the_relations():
    queries = task_queries(get_task("addition"))
    relations = get_task("addition").ideal_relations
    assert lrc_curve([rpe(c) for c in range(3)], relations, 6, queries) == [5] * 6
    assert lrc_curve([rpe(c) for c in range(2)], relations, 6, queries)[-1] == INFINITE  # 2n + 1 needs c = 2


def test_fixed_weights_are_one_feature():
    assert lrc_curve(alibi(), ["i - j = n"], 3, copy_queries)[-1] == INFINITE
    assert lrc_curve(alibi(), ["i - j = 0"], 3, lambda n: [0]) == [1, 1, 1]  # one pair: always proportional


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

        def queries(n, start=start):
            return range(min(start, n), 2 * n)

        curve = lrc_curve(prf, [relation], longest, queries)
        scales = [Level(n, 2 * n, tuple(queries(n))) for n in range(1, longest + 1)]
        problem = Pola(prf, scales, lambda i, j, n, r=relation: float(holds(r, i, j, n)))
        for n in range(n0, longest + 1):
            expected = curve[n - 1] == curve[n0 - 1] < INFINITE
            assert problem.generalizes(n0, n)[0] == expected, (str(relation), prf.name, n, curve)


def test_bad_input():
    with pytest.raises(ValueError, match="at least one relation"):
        lrc_curve(rpe(), [], 3, copy_queries)
    with pytest.raises(ValueError, match="task of one scale"):
        task_queries(get_task("addition", widths="unequal"))
