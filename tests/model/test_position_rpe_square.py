"""RPE-Square (our reading) by four nested loops, and on an addition written with unequal widths."""

import pytest
import torch

from .cases import Case
from .contexts import context


def position(*args, **kwargs):
    return Case(*args, **kwargs).model().position_modules()[0]


def naive_rpe_square(state, table, furthest, shift):
    """bias[i, j] = Σ_k Σ_l P(i, k) R(j, l) table[i - shift - k - (j - l)] for one head."""
    u, v, s, t = state.chunk(4, dim=-1)
    length, width = u.shape
    bias = torch.zeros(length, length)
    for i in range(length):
        chosen = torch.softmax(torch.stack([u[i] @ v[k] for k in range(i + 1)]) / width**0.5, 0)
        for j in range(i + 1):
            anchor = torch.softmax(torch.stack([s[j] @ t[m] for m in range(j + 1)]) / width**0.5, 0)
            for k in range(i + 1):
                for m in range(j + 1):
                    relation = (i - shift - k) - (j - m)
                    row = max(-furthest, min(furthest, relation)) + furthest
                    bias[i, j] += chosen[k] * anchor[m] * table[row]
    return bias


@pytest.mark.parametrize("hint", ["none", "prompt"])
def test_bias_by_loops(hint):
    square = position("rpe_square", {"anchor_dim": 3, "max_distance": 4}, hint)
    state = torch.randn(2, 4, 7, 12, generator=torch.Generator().manual_seed(0))
    q = torch.zeros(2, 4, 7, 8)
    scale = [[1], [2]] if hint == "prompt" else None
    with torch.no_grad():
        bias = square.bias(q, q, state, context(7, scale=scale, left_pad=(0, 2)))
        for b, pad in enumerate((0, 2)):
            for h in range(4):
                shift = h * scale[b][0] if scale else 0
                expected = naive_rpe_square(state[b, h, pad:], square.weight[h], 4, shift)
                torch.testing.assert_close(bias[b, h, pad:, pad:].tril(), expected, atol=1e-5, rtol=1e-5)


def test_digits_of_equal_significance_have_relation_zero_whatever_the_widths():
    """Anchors on the nearest delimiter: <bos> d d d + d d = d d d."""
    square = position("rpe_square", {"anchor_dim": 1, "max_distance": 8})
    delimiter = torch.tensor([1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0], dtype=torch.bool)
    place = torch.arange(11)
    # Every token looks for a delimiter, and a later one more than an earlier one.
    want = torch.where(delimiter, 100.0 * place, -100.0)
    state = torch.stack((torch.ones(11), want, torch.ones(11), want), -1)[None, None].expand(1, 4, 11, 4)
    with torch.no_grad():
        square.weight.copy_(torch.arange(-8.0, 9.0).expand(4, 17))
    bias = square.bias(torch.zeros(1, 4, 11, 8), torch.zeros(1, 4, 11, 8), state, context(11))[0, 0]
    offset = torch.tensor([0, 1, 2, 3, 0, 1, 2, 0, 1, 2, 3])
    torch.testing.assert_close(bias.tril(), (offset[:, None] - offset[None, :]).float().tril())


@pytest.mark.parametrize("options", [{"anchor_dim": 0}, {"max_distance": 0}, {"scale_shifts": 0}])
def test_bad_options(options):
    with pytest.raises(ValueError, match="must be at least 1"):
        Case("rpe_square", options).config()
