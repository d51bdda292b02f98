import pytest
import torch

from hf_lengthgen.model.position_bias import t5_bucket
from hf_lengthgen.theory.prf import alibi, ape, as_scale, ipe, lbpe, nope, rpe, t5


def test_partitions():
    assert nope()(5, 2, 3) == nope()(9, 9, 1)
    assert ape()(5, 2, 3) == ape()(9, 2, 7) != ape()(5, 3, 3)
    assert rpe()(5, 2, 3) == rpe()(9, 6, 7) == 3
    assert rpe(1)(8, 2, 3) == rpe(1)(10, 3, 4) == 3
    assert rpe(2)(8, 2, (1, 2)) == 0 and as_scale(4) == (4,)


def test_t5_buckets_are_those_of_the_embedding():
    for i, j, n in [(0, 0, 1), (40, 3, 5), (300, 2, 7), (9, 9, 4)]:
        assert t5()(i, j, n) == int(t5_bucket(torch.tensor(i - j), 32, 128, False))
        assert t5(16, 64, shift=2)(i, j, n) == int(t5_bucket(torch.tensor(i - j - 2 * n), 16, 64, True))


def test_roles():
    prf = ipe(["i - j = n", "i - j = 2"])
    assert prf(5, 2, 3) == "i - j = n" and prf(5, 3, 3) == "i - j = 2" and prf(5, 4, 3) == "other"
    assert prf(5, 3, 2) == "i - j = n and i - j = 2"
    over = lbpe(["i - j = n", "i - j = 2"])
    assert over.features(5, 3, 2) == ("i - j = n", "i - j = 2") and over.features(5, 4, 2) == ()
    assert lbpe(["i - j = n", "other"]).features(5, 4, 2) == ("other",)
    assert ipe(["i - j = n0 + n1"], hints=2)(9, 2, (3, 4)) == "i - j = n0 + n1"


def test_alibi_is_one_feature_with_fixed_weights():
    prf = alibi(0.5)
    assert prf(5, 1, 2) == prf(5, 4, 2)
    assert prf.weights(5, 3, 2) == pytest.approx(torch.tensor(-1.0).exp().item())


def test_segments_are_refused():
    with pytest.raises(ValueError, match="speaks of a segment"):
        ipe(["offset(i) - offset(j) = 0 in segment 0"])
