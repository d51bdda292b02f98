"""Embeddings that x-transformers has as well, against it: `make test-extras` installs it."""

import pytest
import torch

from .cases import Case
from .contexts import context

peer = pytest.importorskip("x_transformers.x_transformers", reason="x-transformers is an extra: make test-extras")

LENGTH, HEADS, WIDTH = 40, 4, 8  # as in Case: 4 heads of 8


def interleaved(x):
    """Dimensions (m, m + D/2), which we rotate together, side by side, as x-transformers pairs them."""
    return x.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)


def scores(q, k):
    return q @ k.transpose(-1, -2) * WIDTH**-0.5


def queries_and_keys():
    return torch.randn(2, 2, HEADS, LENGTH, WIDTH)


@pytest.mark.parametrize("heads", [2, 4, 8, 12])
def test_alibi(heads):
    case = Case("alibi", settings={"hidden_size": 8 * heads, "num_attention_heads": heads})
    (ours,) = case.model().position_modules()
    visible = torch.ones(LENGTH, LENGTH).tril().bool()
    bias = ours.bias(torch.zeros(1), None, None, context(LENGTH))
    torch.testing.assert_close(
        bias.expand(1, heads, LENGTH, LENGTH)[0][:, visible],
        peer.AlibiPositionalBias(heads)(LENGTH, LENGTH)[:, visible],
    )


@pytest.mark.parametrize(("buckets", "largest"), [(32, 128), (16, 64), (8, 20)])
def test_t5(buckets, largest):
    options = {"buckets": buckets, "max_distance": largest}
    (ours,) = Case("t5", options).model().position_modules()
    theirs = peer.RelativePositionBias(scale=1.0, causal=True, num_buckets=buckets, max_distance=largest, heads=HEADS)
    table = next(ours.parameters())
    with torch.no_grad():
        theirs.relative_attention_bias.weight.copy_(table if table.shape[0] == buckets else table.t())
    length = 3 * largest
    visible = torch.ones(length, length).tril().bool()
    bias = ours.bias(torch.zeros(1), None, None, context(length)).expand(1, HEADS, length, length)[0]
    torch.testing.assert_close(bias[:, visible], theirs(length, length)[:, visible])


@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_rope(factor):
    options = {} if factor == 1 else {"scaling": {"rope_type": "linear", "factor": factor}}
    (ours,) = Case("rope", options).model().position_modules()
    q, k = queries_and_keys()
    ctx = context(LENGTH)
    freqs, _ = peer.RotaryEmbedding(WIDTH, interpolation_factor=factor)(torch.arange(LENGTH))
    theirs = scores(*(peer.apply_rotary_pos_emb(interleaved(x), freqs) for x in (q, k)))
    torch.testing.assert_close(
        scores(ours.rotate_query(q, ctx), ours.rotate_key(k, ctx.k_ids, ctx)), theirs, atol=2e-5, rtol=1e-5
    )


@pytest.mark.parametrize("base", [512, 16])
def test_xpos(base):
    (ours,) = Case("xpos", {"scale_base": float(base)}).model().position_modules()
    q, k = queries_and_keys()
    ctx = context(LENGTH)
    freqs, scale = peer.RotaryEmbedding(WIDTH, use_xpos=True, scale_base=base)(torch.arange(LENGTH))
    theirs = scores(
        peer.apply_rotary_pos_emb(interleaved(q), freqs, scale),
        peer.apply_rotary_pos_emb(interleaved(k), freqs, scale**-1),
    )
    turned, kept = ours.rotate_query(q, ctx), ours.rotate_key(k, ctx.k_ids, ctx)
    total = scores(turned, kept) + ours.bias(turned, kept, None, ctx)
    visible = torch.ones(LENGTH, LENGTH).tril().bool()
    torch.testing.assert_close(total[..., visible], theirs[..., visible], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("rows", [8, 64])
def test_cope(rows):
    (ours,) = Case("cope", {"npos_max": rows}, settings={"num_hidden_layers": 1}).model().position_modules()
    theirs = peer.CoPE(dim=WIDTH, heads=HEADS, max_pos=rows)
    with torch.no_grad():
        theirs.pos_emb.copy_(ours.weight)
    q, k = queries_and_keys()
    visible = torch.ones(LENGTH, LENGTH).tril().bool()
    logits = scores(q, k).masked_fill(~visible, float("-inf"))  # their mask comes before the count as well
    expected = theirs(q * WIDTH**-0.5, logits)
    actual = ours.bias(q, k, None, context(LENGTH))
    torch.testing.assert_close(actual[..., visible], expected[..., visible], atol=1e-5, rtol=1e-4)
