"""The additions by themselves: what their gates and weights mean."""

import pytest
import torch

from hf_lengthgen.retrofit import retrofit

from .test_modeling_retrofit import HINT, batch, disturb
from .tiny import options, tiny


@pytest.mark.parametrize("mode", ("adapter", "bias"))
@torch.no_grad()
def test_settling_keeps_what_is_computed(mode):
    model = disturb(retrofit(tiny(), **options(mode))).eval()
    for position in model.position_modules():
        position.weight.normal_()
        position.gate.copy_(torch.where(torch.rand_like(position.gate) < 0.5, 1.0, -20.0))  # mostly open, or shut
    ids, mask, positions = batch()
    given = {"attention_mask": mask, "position_ids": positions, "scale_hint": HINT}
    before = model(ids, **given).logits
    assert (before - model.base(ids, attention_mask=mask, position_ids=positions).logits).abs().max() > 1e-3
    model.settle()
    torch.testing.assert_close(model(ids, **given).logits, before, atol=1e-5, rtol=1e-4)
    # What was settled once is settled.
    model.settle()
    torch.testing.assert_close(model(ids, **given).logits, before, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_settling_an_untouched_bias_leaves_the_base():
    model = retrofit(tiny(), **options("bias"))
    ids, _, _ = batch(pad=0)
    model.settle()
    assert all((position.weight == 0).all() for position in model.position_modules())
    torch.testing.assert_close(model(ids, scale_hint=HINT).logits, model.base(ids).logits, atol=1e-5, rtol=0)


@torch.no_grad()
def test_relations_are_told_with_the_weight_that_counts():
    """In mode bias b itself, which may be negative; the heaviest first."""
    model = disturb(retrofit(tiny(), **options("bias")))
    for position in model.position_modules():
        position.weight.copy_(torch.linspace(-2, 1, position.weight.numel()).view_as(position.weight))
    told = [weight for layer in model.relations() for head in layer for _, weight in head]
    assert min(told) < 0
    for head in (head for layer in model.relations() for head in layer):
        sizes = [abs(weight) for _, weight in head]
        assert sizes == sorted(sizes, reverse=True)
