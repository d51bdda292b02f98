"""PaTH as the product of its transformations, multiplied out one by one."""

import pytest
import torch

from .cases import Case
from .contexts import context


def position(*args, **kwargs):
    return Case(*args, **kwargs).model().position_modules()[0]


def naive_directions(path, state, first):
    """w and β from the cached state, token by token."""
    heads, length, width = state.shape[0], state.shape[1], state.shape[2] - 1
    w, beta = torch.zeros(heads, length, width), torch.zeros(heads, length)
    for h in range(heads):
        for s in range(first, length):
            mixed = torch.zeros(width)
            for back in range(path.options.kernel):
                if s - back >= first:
                    mixed = mixed + path.mix[back, h] * state[h, s - back, :-1]
            mixed = mixed * torch.sigmoid(mixed)
            w[h, s] = mixed / mixed.norm()
            beta[h, s] = 2 * torch.sigmoid(state[h, s, -1])
    return w, beta


def naive_scores(q, k, w, beta):
    """score[h, i, j] = q_i · H_i … H_{j+1} k_j / sqrt(d)."""
    heads, length, width = q.shape
    scores = torch.zeros(heads, length, length)
    for h in range(heads):
        for j in range(length):
            carried = k[h, j]
            for i in range(j, length):
                if i > j:
                    reflection = torch.eye(width) - beta[h, i] * torch.outer(w[h, i], w[h, i])
                    carried = reflection @ carried
                scores[h, i, j] = q[h, i] @ carried / width**0.5
    return scores


def drawn(length=9):
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(2, 4, length, 8, generator=generator) for _ in range(2))
    return q, k, torch.randn(2, 4, length, 9, generator=generator)


@pytest.mark.parametrize("kernel", [1, 3])
def test_scores_by_multiplying_out(kernel):
    path = position("path", {"kernel": kernel})
    q, k, state = drawn()
    with torch.no_grad():
        scores = q @ k.transpose(2, 3) / 8**0.5 + path.bias(q, k, state, context(9, left_pad=(0, 2)))
        for b, pad in enumerate((0, 2)):
            w, beta = naive_directions(path, state[b], pad)
            expected = naive_scores(q[b], k[b], w, beta)
            torch.testing.assert_close(scores[b, :, pad:, pad:].tril(), expected[:, pad:, pad:], atol=1e-5, rtol=1e-5)


def test_cached_queries_are_the_last_rows():
    path, (q, k, state) = position("path"), drawn()
    ctx = context(9)
    full = path.bias(q, k, state, ctx)
    ctx.memo["query_offset"] = 6
    ctx.q_pos = ctx.q_pos[:, 6:]
    torch.testing.assert_close(path.bias(q[:, :, 6:], k, state, ctx), full[:, :, 6:], atol=1e-5, rtol=1e-5)


def test_without_strength_it_is_plain_attention():
    path, (q, k, state) = position("path"), drawn()
    state[..., -1] = -100.0  # β = 0
    assert path.bias(q, k, state, context(9)).abs().max() < 1e-6


def test_long_inputs_stay_finite_and_bounded():
    """Each H shrinks or keeps lengths, so |score| ≤ |q||k| / sqrt(d) however long the path is."""
    path = position("path")
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(1, 4, 400, 8, generator=generator) for _ in range(2))
    state = 3 * torch.randn(1, 4, 400, 9, generator=generator)
    scores = q @ k.transpose(2, 3) / 8**0.5 + path.bias(q, k, state, context(400))
    bound = q.norm(dim=-1)[..., None] * k.norm(dim=-1)[:, :, None] / 8**0.5
    assert (scores.tril().abs() <= bound * 1.0001).all()


@pytest.mark.parametrize("options", [{"rank": 0}, {"kernel": 0}])
def test_bad_options(options):
    with pytest.raises(ValueError, match="must be at least 1"):
        Case("path", options).config()


def test_it_takes_no_hint():
    with pytest.raises(ValueError, match="does not use a Scale Hint"):
        Case("path", scale_hint="prompt").config()
