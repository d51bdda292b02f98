import pytest

from hf_lengthgen.theory.circuits import read, src_curve, steps_of
from hf_lengthgen.theory.prf import ape, ipe, rpe


def running_sum(n):
    yield read(n + 1, 1, apply="first digit")
    for k in range(1, n):
        yield read(n + 1 + k, 1 + k, n + 1 + k, apply="add")


def parity_without_steps(n):
    yield read(n + 1, *range(1, n + 1), apply="parity")


def test_running_sum_by_hand():
    assert [s.reads for s in steps_of(running_sum, 3)] == [(1,), (2, 5), (3, 6)]
    hinted = src_curve(running_sum, rpe(1), 10)
    # The sum just written is at i - j = 0, so i - n - j = -n is new at every scale.
    assert hinted.verdict == "growing" and hinted.witness == (6, ("add", 0, -6))
    ideal = src_curve(running_sum, ipe(["i - j = n", "i - j = 0"]), 10)
    assert ideal.operators == (1,) + (2,) * 9 and ideal.verdict == "constant" and ideal.witness is None
    # Without the hint both reads of a digit, n places back, are new at every scale; at n = 1 nothing is added.
    assert src_curve(running_sum, rpe(), 10).operators == tuple(range(1, 20, 2))
    assert src_curve(running_sum, ape(), 10).verdict == "growing"


def test_a_step_with_ever_more_reads_grows_under_any_prf():
    for prf in (rpe(), ape(), ipe(["i - j = 1"])):
        curve = src_curve(parity_without_steps, prf, 8)
        assert curve.verdict == "growing" and curve.operators == tuple(range(1, 9)) and curve.witness[0] == 5


def test_a_rare_new_operator_is_undecided():
    def circuit(n):
        yield read(n, n, apply="odd" if n == 9 else "same")

    curve = src_curve(circuit, rpe(), 10)
    assert curve.verdict == "undecided" and curve.witness == (9, ("odd", 0))


def test_bad_circuits_are_refused():
    def future(n):
        yield read(n, n - 1, apply="ok")
        yield read(n, n + 1, apply="peek")

    with pytest.raises(
        ValueError, match=r"step 1 of the circuit at n = 4 reads position 5 at query 4 .*'peek'.*future"
    ):
        steps_of(future, 4)
    with pytest.raises(ValueError, match="reads position 5 at query 4|reads position 2 at query 1"):
        src_curve(future, rpe())
    with pytest.raises(ValueError, match="positions begin at 0"):
        steps_of(lambda n: [read(0, -1, apply="x")], 1)
    with pytest.raises(ValueError, match="a circuit yields steps"):
        steps_of(lambda n: [(1, 2)], 1)
    with pytest.raises(ValueError, match="n_max must be at least 2"):
        src_curve(running_sum, rpe(), 1)
