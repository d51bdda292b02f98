"""Seeded gaps: prefixes agree, the range and the mean are as said, and the mixer mixes."""

import pytest
import torch

from hf_lengthgen.model.position_ids import hashed, place, seeded_ids, training_generator


def naive_hash(position, seed):
    """With Python's unbounded integers."""
    x = (position + 0x9E3779B9 * (seed % 2**31 + 1)) % 2**32
    for factor, shift in ((0x7FEB352D, 15), (0x846CA68B, 16)):
        x = x ^ (x >> 16)
        x = x * factor % 2**32
        x = x ^ (x >> shift)
    return x


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**40])
def test_hash_does_not_overflow(seed):
    positions = torch.tensor([0, 1, 2, 1000, 2**20])
    assert hashed(positions, seed).tolist() == [naive_hash(p, seed) for p in positions.tolist()]


@pytest.mark.parametrize(("whole", "gap"), [(True, 1), (True, 4), (False, 0.3), (False, 4.0)])
def test_ids_of_a_prefix_do_not_change(whole, gap):
    ids = seeded_ids(3000, gap, 7, "cpu", whole)
    for count in (1, 2, 17, 512, 2999):
        assert torch.equal(seeded_ids(count, gap, 7, "cpu", whole), ids[:count])


@pytest.mark.parametrize("gap", [1, 2, 5])
def test_whole_gaps(gap):
    ids = seeded_ids(20_000, gap, 0, "cpu", True)
    gaps = ids.diff(prepend=torch.tensor([-1]))
    assert gaps.unique().tolist() == list(range(1, 2 * gap))
    assert gaps.float().mean().item() == pytest.approx(gap, rel=0.02)
    counts = gaps.bincount()[1:] / len(gaps)
    assert (counts - 1 / (2 * gap - 1)).abs().max() < 0.015


def test_float_gaps():
    ids = seeded_ids(10_000, 1.5, 0, "cpu", False)
    gaps = ids.diff()
    assert gaps.min() > 0 and gaps.max() <= 3.0 and gaps.mean().item() == pytest.approx(1.5, rel=0.02)


def test_seeds_differ_and_neighbouring_seeds_are_not_shifts():
    one, two = (seeded_ids(200, 4, seed, "cpu", True).diff() for seed in (0, 1))
    for shift in range(20):
        agree = (one[shift:] == two[: len(two) - shift]).float().mean()
        assert agree < 0.35  # 1/7 by chance
    assert not torch.equal(one, two)


def test_place_keeps_padding():
    table = torch.tensor([3, 8, 9])
    positions = torch.tensor([[-1, 0, 1], [0, 1, 2]])
    assert place(table, positions).tolist() == [[-1, 3, 8], [3, 8, 9]]


def test_training_draws_follow_seed_and_step():
    def draw(key):
        return torch.randint(10**9, (4,), generator=training_generator(key)).tolist()

    assert draw((3, 5)) == draw((3, 5)) != draw((3, 6))
    assert draw((3, 5)) != draw((4, 5))
    assert training_generator(None) is None
