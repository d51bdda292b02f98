import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from hf_lengthgen.theory import prf as prfs
from hf_lengthgen.theory.pola import Level, Pola, attention, gradient_descent, levels, solve_exactly

N0, LONGEST, LENGTH = 3, 6, 2  # trained on scales 1..3, tested to 6; a sequence has 2n tokens


def scale_length(n):
    return LENGTH * n


PRFS = {
    "APE": prfs.ape(),
    "RPE": prfs.rpe(),
    "RPE with hint": prfs.rpe(1),
    "T5": prfs.t5(buckets=8, max_distance=10),
    "IPE": prfs.ipe(["i - j = n", "i - j = 0", "j = 0", "i + j = 2n + 1", "j = 7"]),
    # i - j = n and j = n together are i = 2n: dependent features at some scales, and j = 7 occurs from n = 4 on.
    "LBPE": prfs.lbpe(["i - j = n", "i - j = 0", "i - j = 2", "j = 0", "j = n", "i + j = 2n + 1", "j = 7", "other"]),
}
KINDS = ("constant", "conflict inside", "conflict beyond", "unseen, non-zero", "unseen, zero")


def random_targets(prf, count, rng):
    """Targets by what is wrong with them: kinds (count,), and value[k](i, j, n) as an array over (n, i, j)."""
    seen, later = set(), set()
    for n in range(1, LONGEST + 1):
        for i in range(scale_length(n)):
            for j in range(i + 1):
                (seen if n <= N0 else later).update(prf.features(i, j, n))
    kinds = rng.integers(0, len(KINDS), size=count)
    values = {}
    per_class = {z: rng.normal(size=count) for z in sorted(seen | later, key=str)}
    for z in later - seen:
        per_class[z] = np.where(kinds == KINDS.index("unseen, non-zero"), per_class[z], 0.0)
    bump = rng.normal(size=count) + np.sign(rng.normal(size=count))
    inside = [(n, i, j) for n in range(1, N0 + 1) for i in range(scale_length(n)) for j in range(i + 1)]
    beyond = [
        (n, i, j)
        for n in range(N0 + 1, LONGEST + 1)
        for i in range(scale_length(n))
        for j in range(i + 1)
        if set(prf.features(i, j, n)) & seen
    ]
    places = [inside[k] for k in rng.integers(0, len(inside), size=count)]
    places_beyond = [beyond[k] for k in rng.integers(0, len(beyond), size=count)]
    for n in range(1, LONGEST + 1):
        for i in range(scale_length(n)):
            for j in range(i + 1):
                value = sum((per_class[z] for z in prf.features(i, j, n)), np.zeros(count))
                for k in range(count):
                    here = {1: places[k], 2: places_beyond[k]}.get(kinds[k])
                    if here == (n, i, j):
                        value[k] += bump[k]
                values[i, j, n] = value[:, None]
    return kinds, lambda i, j, n: values[i, j, n]


def sampled_levels(rng, d=1, twin=False):
    """Levels whose moments are those of samples drawn here, and the samples x."""
    scales, samples = [], []
    for n in range(1, LONGEST + 1):
        length = scale_length(n)
        x = rng.normal(size=(8 + 3 * length, length, d))
        if twin and length > 2:
            x[:, 1] = x[:, 0]  # two tokens that are always equal: E[xxᵀ] is singular
        flat = x.reshape(len(x), -1)
        scales.append(Level(n, length, tuple(range(length)), 1, flat.T @ flat / len(x)))
        samples.append(x)
    return scales, samples


def descend(problem, scales, samples, target, steps=700):
    module = attention(problem)
    data = []
    for level, x in zip(scales, samples, strict=True):
        if level.n > N0:
            continue
        wanted = np.stack([problem._wanted(i, level) for i in level.rows])  # (rows, outputs, length·d)
        y = np.einsum("rol,bl->bro", wanted, x.reshape(len(x), -1))
        data.append((level.n, torch.tensor(x), torch.tensor(y), level.rows, level.weight))
    gradient_descent(module, data, steps)
    return module


def sample_risk(problem, module, level, x):
    wanted = np.stack([problem._wanted(i, level) for i in level.rows])
    y = np.einsum("rol,bl->bro", wanted, x.reshape(len(x), -1))
    with torch.no_grad():
        gap = module(torch.tensor(x), level.n)[:, list(level.rows)].numpy() - y
    return (gap**2).sum(axis=1).mean(axis=0)


CASES = [(name, False) for name in PRFS] + [("APE", True), ("LBPE", True)]


@pytest.mark.parametrize(("name", "twin"), CASES)
def test_theory_exact_solution_and_gradient_descent_agree_on_200_targets(name, twin):
    prf, count = PRFS[name], 200
    rng = np.random.default_rng([5, sum(map(ord, name)), twin])
    kinds, target = random_targets(prf, count, rng)
    scales, samples = sampled_levels(rng, twin=twin)
    problem = Pola(prf, scales, target, outputs=count)
    module = descend(problem, scales, samples, target)
    exact, descent = np.ones(count, dtype=bool), np.ones(count, dtype=bool)
    risks, verdicts = problem.risks(N0), problem.verdicts(N0)
    assert sorted(verdicts) == list(range(N0, LONGEST + 1))
    for level, x in zip(scales, samples, strict=True):
        exact &= risks[level.n] < 1e-7
        descent &= sample_risk(problem, module, level, x) < 1e-7
        if level.n >= N0:
            theory = verdicts[level.n]
            assert (theory == exact).all(), (level.n, np.flatnonzero(theory != exact))
            assert (theory == descent).all(), (level.n, np.flatnonzero(theory != descent))
            if not prf.overlapping and not twin:
                assert (theory == problem.classes_agree(N0, level.n)).all(), level.n
    # Each way to fail is among them, and so is an unseen class that does no harm.
    inside, final = verdicts[N0], verdicts[LONGEST]
    assert 0 < final.sum() < count
    assert min((kinds == kind).sum() for kind in range(len(KINDS))) > 20
    if twin:
        assert np.linalg.matrix_rank(problem.gram(N0)) < len(problem.features)  # G is singular
        return
    assert final[kinds == KINDS.index("constant")].all() and final[kinds == KINDS.index("unseen, zero")].all()
    beyond = kinds == KINDS.index("conflict beyond")
    assert inside[beyond].all() and not final[beyond].any()
    if name in ("RPE", "RPE with hint", "IPE", "T5"):
        assert (~inside[kinds == KINDS.index("conflict inside")]).sum() > 20
    unseen = kinds == KINDS.index("unseen, non-zero")
    if unseen_operators(problem, N0):
        assert inside[unseen].all() and not final[unseen].any()
    assert unseen_operators(problem, N0)


def unseen_operators(problem, n0):
    """What gradient descent on scales <= n0 leaves for relation values that do not occur there."""
    seen = problem.seen(n0)
    return {z: w for z, w in problem.operators(problem.solution(n0)).items() if z not in seen}


def test_gradient_descent_leaves_unseen_classes_at_zero():
    problem = Pola(prfs.rpe(), levels(4), lambda i, j, n: float(i - j == 3) + 2 * (i == j))
    left = unseen_operators(problem, 2)
    assert set(left) == {2, 3} and all(not w.any() for w in left.values())
    assert problem.operators(problem.solution(2))[0] == pytest.approx(2)


def test_the_solution_is_a_minimiser_of_least_norm():
    rng = np.random.default_rng(3)
    scales = []
    for n in range(1, 5):
        x = rng.normal(size=(3, n))  # few samples: singular moments
        scales.append(Level(n, n, tuple(range(n)), 1 + rng.random(), x.T @ x / 3))
    problem = Pola(PRFS["LBPE"], scales, lambda i, j, n: rng_value(i, j, n))
    p, gram, cross = problem.solution(4), problem.gram(4), problem.cross(4)
    assert np.allclose(p @ gram, cross)
    assert np.allclose(p @ np.linalg.pinv(gram) @ gram, p)  # in the range of G
    risk = sum(level.weight * problem.risk(p, level.n) for level in scales)
    for _ in range(20):
        other = p + rng.normal(size=p.shape)
        assert sum(level.weight * problem.risk(other, level.n) for level in scales) >= risk - 1e-9


def rng_value(i, j, n):
    return ((3 * i + 5 * j + 7 * n) % 11 - 5) / 3


def test_rational_and_floating_point_solutions_agree():
    def target(i, j, n):
        return (i * j + n) % 4 - 1

    moment = {n: np.eye(2 * n, dtype=int) * 2 + 1 for n in (1, 2, 3)}
    scales = [Level(n, n, tuple(range(n)), n, moment[n]) for n in (1, 2, 3)]
    for prf in (prfs.rpe(), prfs.lbpe(["i - j = n", "j = 0", "i - j = 0", "other"])):
        exact = Pola(prf, scales, lambda i, j, n: target(i, j, n) * np.ones((1, 2), dtype=int), d=2, exact=True)
        floating = Pola(prf, scales, lambda i, j, n: target(i, j, n) * np.ones((1, 2)), d=2)
        solution = exact.solution(2)
        assert all(isinstance(v, Fraction) for v in solution.flat)
        assert np.allclose(solution.astype(float), floating.solution(2))
        for n in (2, 3):
            assert (exact.generalizes(2, n) == floating.generalizes(2, n)).all()


def test_matrices_act_on_vectors():
    """Operators of shape (outputs, d): a target that is constant on the classes is found as it is."""
    rng = np.random.default_rng(0)
    wanted = {d: rng.normal(size=(2, 3)) for d in range(6)}
    problem = Pola(prfs.rpe(), levels(6), lambda i, j, n: wanted[i - j] if i - j < 4 else np.zeros((2, 3)), 3, 2)
    found = problem.operators(problem.solution(4))
    assert all(np.allclose(found[d], wanted[d]) for d in range(4))
    assert problem.generalizes(4, 6).all() and problem.classes_agree(4, 6).all()


# ---- two traps


def test_trap_zero_risk_at_a_longer_scale_by_accident():
    """RPE, N0 = 2, the identity times 0, 3/2, 1 at scales 1, 2, 3: exact at scale 3, though nothing is constant."""
    factor = {1: Fraction(0), 2: Fraction(3, 2), 3: Fraction(1)}
    problem = Pola(prfs.rpe(), levels(3), lambda i, j, n: factor[n] if i == j else Fraction(0), exact=True)
    assert problem.solution(2).tolist() == [[1, 0, 0]]
    risks = problem.risks(2)
    assert risks[3] == 0 and risks[1] > 0 and risks[2] > 0
    assert not problem.generalizes(2, 3)[0] and not problem.classes_agree(2, 3)[0]


def test_trap_equal_inputs_share_the_operator():
    """Loss on the last row at n = 2 only, x_1 = x_2, target the identity: (1/2, 1/2, 0)."""
    scales = [
        Level(2, 2, (1,), 1, np.ones((2, 2), dtype=int)),
        Level(3, 3, (0, 1, 2), 1, np.ones((3, 3), dtype=int)),
    ]
    problem = Pola(prfs.rpe(), scales, lambda i, j, n: Fraction(int(i == j)), exact=True)
    found = problem.operators(problem.solution(2))
    assert {z: w[0, 0] for z, w in found.items()} == {0: Fraction(1, 2), 1: Fraction(1, 2), 2: 0}
    assert problem.risk(problem.solution(2), 2) == 0
    # Row 0 of scale 3 reads one token only, and gets half of it.
    assert problem.risk(problem.solution(2), 3) == Fraction(1, 4) and not problem.generalizes(2, 3)[0]


# ---- what it refuses, and its parts


def test_bad_problems_are_refused():
    with pytest.raises(ValueError, match="at least one scale"):
        Pola(prfs.rpe(), [], lambda i, j, n: 0)
    with pytest.raises(ValueError, match="supervises a row outside of its 2 tokens"):
        Pola(prfs.rpe(), [Level(1, 2, (2,))], lambda i, j, n: 0)
    problem = Pola(PRFS["LBPE"], levels(3), lambda i, j, n: 0)
    with pytest.raises(ValueError, match="n >= n0, got n = 1 and n0 = 2"):
        problem.generalizes(2, 1)
    with pytest.raises(ValueError, match="overlap"):
        problem.classes_agree(2, 3)
    with pytest.raises(ValueError, match="must have the shape"):
        Pola(prfs.rpe(), [Level(1, 2, (0,), 1, np.eye(3))], lambda i, j, n: 0).gram(1)


def test_solve_exactly():
    matrix = np.array([[1, 2], [2, 4]])
    assert solve_exactly(matrix, np.array([[1], [3]])) is None
    x = solve_exactly(matrix, np.array([[1], [2]]))
    assert (matrix @ x == np.array([[1], [2]])).all()
    square = np.array([[2, 1], [1, 3]])
    assert solve_exactly(square, np.array([[1], [1]])).tolist() == [[Fraction(2, 5)], [Fraction(1, 5)]]


def test_the_module_computes_the_formula():
    problem = Pola(PRFS["LBPE"], levels(3), lambda i, j, n: 0, d=2, outputs=3)
    module = attention(problem)
    with torch.no_grad():
        module.weight.normal_()
    x = torch.randn(2, 3, 2, dtype=torch.float64)
    expected = torch.zeros(2, 3, 3, dtype=torch.float64)
    for i in range(3):
        for j in range(i + 1):
            for z in problem.prf.features(i, j, 3):
                expected[:, i] += x[:, j] @ module.weight[problem.index[z]].T
    assert torch.allclose(module(x, 3), expected)


def test_fixed_weights_are_what_a_value_counts_with():
    """ALiBi's own weights are learned from one scale on; a constant target is not."""
    own = Pola(prfs.alibi(0.5), levels(6), lambda i, j, n: math.exp(-0.5 * abs(i - j)))
    constant = Pola(prfs.alibi(0.5), levels(6), lambda i, j, n: 1)
    assert max(float(risk[0]) for risk in own.risks(3).values()) < 1e-12
    assert all(float(risk[0]) > 0.01 for n, risk in constant.risks(3).items() if n > 1)
    module = attention(own)
    with torch.no_grad():
        module.weight.fill_(1.0)
    x = torch.randn(2, 4, 1, dtype=torch.float64)
    table = torch.tensor([[math.exp(-0.5 * (i - j)) if j <= i else 0 for j in range(4)] for i in range(4)])
    torch.testing.assert_close(module(x, 4)[..., 0], x[..., 0] @ table.T.double())
    with pytest.raises(ValueError, match="ALiBi has weights"):
        own.classes_agree(3, 6)
