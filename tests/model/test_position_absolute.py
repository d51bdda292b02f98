"""Absolute embeddings against their formulas."""

import math

import pytest
import torch

from .cases import Case
from .contexts import context


def position(name, **overrides):
    return Case(name).model(**overrides).position_modules()[0]


def test_sinusoidal_formula():
    made = position("sinusoidal").embed(context(50))[0]
    for p in (0, 1, 7, 49):
        for m in range(16):
            angle = p / 10000 ** (2 * m / 32)
            assert math.isclose(made[p, 2 * m], math.sin(angle), abs_tol=1e-5)
            assert math.isclose(made[p, 2 * m + 1], math.cos(angle), abs_tol=1e-5)


def test_learned_rows_are_looked_up_by_logical_position():
    embedding = position("learned")
    made = embedding.embed(context(6, left_pad=(0, 2)))
    assert torch.equal(made[1, 2:], embedding.weight[:4]) and torch.equal(made[0], embedding.weight[:6])


def test_learned_refuses_positions_beyond_its_rows():
    with pytest.raises(ValueError, match="position 64 is beyond the 64 rows"):
        position("learned").embed(context(65))


def test_nope_is_blind_to_order_but_for_the_mask():
    model = Case("none", {}).model(num_hidden_layers=1)
    ids = Case("none").prompts()[:1]
    shuffled = ids[:, [3, 1, 0, 2, 4, 5, 6, 7, 8, 9, 10, 11]]
    torch.testing.assert_close(model(ids).logits[:, 4:], model(shuffled).logits[:, 4:], atol=1e-5, rtol=1e-5)
