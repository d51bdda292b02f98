"""DAPE and DAPE V2 by loops, and what their network must not see."""

import pytest
import torch

from hf_lengthgen.model import position_dape

from .cases import Case
from .contexts import context


def position(*args, **kwargs):
    return Case(*args, **kwargs).model().position_modules()[0]


def queries_and_keys(batch=2, length=7):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(batch, 4, length, 8, generator=generator) for _ in range(2))


def naive_dape(scores, base, visible, dape):
    """B + f(A, B) pair by pair; a key out of sight contributes zeros to either layer."""
    batch, heads, queries, keys = scores.shape
    half = dape.options.kernel // 2
    features = scores if base is None else torch.cat((scores, base), 1)
    hidden = torch.zeros(batch, dape.options.width, queries, keys)
    out = torch.zeros_like(scores)
    for source, layer, target in ((features, dape.hidden, hidden), (hidden, dape.out, out)):
        for b in range(batch):
            for i in range(queries):
                for j in range(keys):
                    total = layer.bias.clone()
                    for step in range(-half, half + 1):
                        if 0 <= j + step < keys and visible[b, i, j + step]:
                            total = total + layer.weight[:, :, 0, step + half] @ source[b, :, i, j + step]
                    if target is hidden:
                        total = torch.where(total > 0, total, 0.01 * total)
                    target[b, :, i, j] = total
    return out if base is None else out + base


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("base", ["none", "alibi"])
def test_bias_by_loops(kernel, base):
    dape = position("dape", {"kernel": kernel, "base": base, "width": 6})
    q, k = queries_and_keys()
    ctx = context(7, left_pad=(0, 2))
    scores = q @ k.transpose(2, 3) / 8**0.5
    bias = None if base == "none" else dape.base.bias(q, k, None, ctx).expand_as(scores)
    seen = ctx.visible[:, 0].expand(2, 7, 7)
    with torch.no_grad():
        expected = naive_dape(scores, bias, seen, dape)
        ours = dape.bias(q, k, None, ctx)
    shown = seen[:, None].expand_as(ours)
    torch.testing.assert_close(ours[shown], expected[shown], atol=1e-5, rtol=1e-5)


def test_the_kernel_sees_neither_the_future_nor_padding():
    dape = position("dape", {"kernel": 5})
    q, k = queries_and_keys(batch=1)
    changed = k.clone()
    changed[:, :, 5:] = 50.0
    changed[:, :, :2] = -50.0
    ctx = context(7, left_pad=(2,))
    before, after = dape.bias(q, k, None, ctx), dape.bias(q, changed, None, ctx)
    assert torch.equal(before[:, :, 2:5, 2:5].tril(), after[:, :, 2:5, 2:5].tril())


def test_blocks_of_queries_change_nothing(monkeypatch):
    dape = position("dape", {"kernel": 3})
    q, k = queries_and_keys()
    whole = dape.bias(q, k, None, context(7))
    monkeypatch.setattr(position_dape, "_BLOCK", 2 * 2 * 7 * 32)
    torch.testing.assert_close(dape.bias(q, k, None, context(7)), whole)


def test_the_hint_reaches_the_base():
    dape, alibi = position("dape", {"base": "alibi"}, "prompt"), position("alibi", scale_hint="prompt")
    q, k = queries_and_keys()
    ctx = context(7, scale=[[1], [2]])
    assert torch.equal(dape.base.bias(q, k, None, ctx), alibi.bias(q, k, None, ctx))


@pytest.mark.parametrize("base", ["kerple", "fire", "t5", "sandwich"])
def test_every_additive_base_enters_as_it_is(base):
    """With a silent network the bias is the base's."""
    dape = position("dape", {"base": base})
    q, k = queries_and_keys()
    with torch.no_grad():
        dape.out.weight.zero_(), dape.out.bias.zero_()
    own = position(base)
    own.load_state_dict(dape.base.state_dict())
    expected = own.bias(q, k, None, context(7)).expand(2, 4, 7, 7)
    torch.testing.assert_close(dape.bias(q, k, None, context(7)), expected)


@pytest.mark.parametrize(
    ("options", "hint", "word"),
    [
        ({"kernel": 2}, "none", "must be odd"),
        ({"kernel": -1}, "none", "must be odd"),
        ({"width": 0}, "none", "width"),
        ({"base": "rope"}, "none", "base of 'dape' must be an additive bias"),
        ({"base": "lbpe"}, "none", "base of 'dape' must be an additive bias"),
        ({"base": "alibbi"}, "none", "Did you mean 'alibi'"),
        ({"base": "alibi", "base_options": {"bucket": 3}}, "none", "'alibi' has no option 'bucket'"),
        ({"base": "none", "base_options": {"buckets": 8}}, "none", "its base is 'none'"),
        ({"base": "none"}, "prompt", "through its base"),
    ],
)
def test_bad_options(options, hint, word):
    with pytest.raises(ValueError, match=word):
        Case("dape", options, hint).config()
