"""CoPE by loops from the formula."""

import math

import pytest
import torch

from .cases import Case
from .contexts import context


def position(*args, **kwargs):
    return Case(*args, **kwargs).model().position_modules()[0]


def naive_cope(q, k, table, npos_max, first=0, scale=None, heads_shift=None):
    """The bias of every visible pair: gates from the query backwards, one at a time."""
    batch, heads, length, width = q.shape
    table = table.detach()
    bias = torch.zeros(batch, heads, length, length)
    for b in range(batch):
        for h in range(heads):
            for i in range(first, length):
                count = 0.0
                for j in range(i, first - 1, -1):
                    count += 1 / (1 + math.exp(-float(q[b, h, i] @ k[b, h, j]) / math.sqrt(width)))
                    place, last, offset = count, npos_max - 1, 0
                    if scale is not None:
                        place, offset = count - heads_shift[h] * scale[b], npos_max - 1
                    place = max(-offset, min(place, last))
                    low = math.floor(place)
                    share = place - low
                    row = table[low + offset] if share == 0 else (
                        (1 - share) * table[low + offset] + share * table[low + 1 + offset]
                    )  # fmt: skip
                    bias[b, h, i, j] = float(q[b, h, i] @ row) / math.sqrt(width)
    return bias


def queries_and_keys(batch=2, length=7, spread=1.0):
    generator = torch.Generator().manual_seed(0)
    return (spread * torch.randn(batch, 4, length, 8, generator=generator) for _ in range(2))


def visible_part(x):
    return x.tril()


@pytest.mark.parametrize("npos_max", [3, 64])
def test_bias_by_loops(npos_max):
    cope = position("cope", {"npos_max": npos_max})
    q, k = queries_and_keys()
    expected = naive_cope(q, k, cope.weight, npos_max)
    torch.testing.assert_close(visible_part(cope.bias(q, k, None, context(7))), expected)


def test_bias_with_hint_by_loops():
    cope = position("cope", {"npos_max": 4}, "prompt")
    assert cope.weight.shape[0] == 7
    q, k = queries_and_keys()
    expected = naive_cope(q, k, cope.weight, 4, scale=[1, 2], heads_shift=[0, 1, 2, 3])
    torch.testing.assert_close(visible_part(cope.bias(q, k, None, context(7, scale=[[1], [2]]))), expected)


def test_the_mask_comes_before_the_sum():
    """Gates of padding in front and of the future are not counted, however far open they are."""
    cope = position("cope", {"npos_max": 64})
    q, k = queries_and_keys(batch=1)
    q = q.abs()
    wide_open = k.clone()
    wide_open[:, :, 5:] = 100.0  # the future of query 4
    wide_open[:, :, :2] = 100.0  # padding
    ctx = context(7, left_pad=(2,))
    count, changed = cope.positions(q, k, ctx), cope.positions(q, wide_open, ctx)
    torch.testing.assert_close(count[:, :, 2:5], changed[:, :, 2:5], atol=0, rtol=0)
    assert (count[:, :, 4, 5:] == 0).all()
    torch.testing.assert_close(
        cope.bias(q, k, None, ctx)[:, :, 2:, 2:].tril(), naive_cope(q, k, cope.weight, 64, first=2)[:, :, 2:, 2:]
    )


def test_open_gates_count_tokens_and_shut_gates_none():
    cope = position("cope")
    k = torch.ones(1, 4, 6, 8)
    distance = context(6).distance()
    torch.testing.assert_close(
        visible_part(cope.positions(100 * k, k, context(6))), visible_part((distance + 1).float()).expand(1, 4, 6, 6)
    )
    assert (cope.positions(-100 * k, k, context(6)) == 0).all()


def test_counts_are_exact_where_bfloat16_could_not_count():
    cope = position("cope")
    k = torch.ones(1, 4, 600, 8, dtype=torch.bfloat16)
    assert (cope.positions(100 * k, k, context(600))[0, :, -1, 0] == 600).all()


def test_the_table_starts_at_zero_so_that_attention_starts_plain():
    from hf_lengthgen import LengthGenForCausalLM

    model = LengthGenForCausalLM(Case("cope").config())
    assert all((m.weight == 0).all() for m in model.position_modules())


@pytest.mark.parametrize("options", [{"npos_max": 1}, {"npos": 4}])
def test_bad_options(options):
    with pytest.raises(ValueError, match="npos_max"):
        Case("cope", options).config()
