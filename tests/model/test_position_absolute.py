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


def training_ids(model, rows, length, key, left_pad=(0,)):
    model.train().set_gate_noise(*key)
    ctx = context(length, left_pad=left_pad)
    return model.position_modules()[0].make_ids(torch.zeros(rows, length), ctx.k_pos)


def test_offsets_are_drawn_per_example_in_training_alone():
    model = Case("learned", {"offset": 20}).model()
    ids = training_ids(model, 500, 6, (0, 0))
    offsets = ids[:, 0]
    assert torch.equal(ids, offsets[:, None] + torch.arange(6))
    assert offsets.unique().tolist() == list(range(21))
    assert torch.equal(ids, training_ids(model, 500, 6, (0, 0)))
    assert not torch.equal(ids, training_ids(model, 500, 6, (0, 1)))
    assert model.eval().position_modules()[0].make_ids(None, context(6).k_pos) is None


def test_offsets_stay_inside_the_table_and_leave_padding_alone():
    model = Case("learned", {"offset": 60}).model()
    assert training_ids(model, 300, 60, (0, 0)).max() == 63
    padded = training_ids(model, 2, 6, (0, 0), left_pad=(0, 2))
    assert padded[1, :2].tolist() == [-1, -1] and padded[1, 2:].diff().eq(1).all()
    # A sequence that fills the table leaves no room.
    assert torch.equal(training_ids(model, 3, 64, (0, 0)), torch.arange(64).expand(3, -1))


def test_offsets_need_the_full_input_in_training():
    model = Case("learned", {"offset": 20}).model().train()
    cache = model(Case("learned").prompts(), use_cache=True).past_key_values
    with pytest.raises(ValueError, match="model.eval"):
        model(torch.full((3, 1), 12), past_key_values=cache)


@pytest.mark.parametrize("offset", [-1, 64])
def test_bad_offsets(offset):
    with pytest.raises(ValueError, match="offset"):
        Case("learned", {"offset": offset}).config()
